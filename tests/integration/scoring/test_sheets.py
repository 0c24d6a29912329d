"""An expert's own sheets: saved, submitted, locked, reopened; nobody else's, and only in the window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.scoring import metrics, watch
from tests.integration.scoring.conftest import Scoring, agree, scored_rules

SHEET = "/rounds/small/sheets/c1"


@pytest.fixture
async def panel(office: Scoring) -> Scoring:
    await office.add_round(scored_rules(), experts=["xu", "li"])
    return office


async def test_partial_marks_are_kept_and_every_save_is_a_version(panel: Scoring) -> None:
    first = await panel.call("PUT", SHEET, "xu", json={"marks": {"innovation": "87.50"}, "comment": "好"})
    assert first.status_code == 200, first.text
    assert first.json()["marks"] == {"innovation": "87.5"}
    assert first.json()["missing"] == ["effect"]
    again = await panel.call("PUT", SHEET, "xu", json={"marks": {"innovation": "87.5"}, "comment": "好"})
    assert again.json()["version"] == 1
    await panel.call("PUT", SHEET, "xu", json={"marks": {"effect": "60"}})
    trace = await panel.desk.pool.fetch("SELECT version, act, actor, marks FROM sheet_versions ORDER BY version")
    assert [(row["version"], row["act"], row["actor"]) for row in trace] == [(1, "saved", "xu"), (2, "saved", "xu")]
    assert trace[0]["marks"] == {"innovation": "87.5"}


@pytest.mark.parametrize(
    ("marks", "criterion", "what"),
    [
        ({"innovation": "100.5"}, "innovation", "from 0 to 100"),
        ({"innovation": "-1"}, "innovation", "from 0 to 100"),
        ({"effect": "70.25"}, "effect", "in steps of 0.5"),
        ({"effect": "many"}, "effect", "not a number"),
        ({"effect": "1e2"}, "effect", "not a number"),
        ({"effect": 90}, "effect", "in quotes"),
        ({"beauty": "90"}, "beauty", "innovation, effect"),
    ],
)
async def test_a_bad_mark_is_refused_with_its_criterion_and_what_to_do(
    panel: Scoring, marks: dict[str, object], criterion: str, what: str
) -> None:
    answer = await panel.call("PUT", SHEET, "xu", json={"marks": marks})
    problem = answer.json()
    assert (answer.status_code, problem["reason"], problem["criterion"]) == (422, "bad_marks", criterion)
    assert what in problem["detail"]
    assert await panel.desk.pool.fetchval("SELECT count(*) FROM sheets") == 0


async def test_the_gauges_tell_who_has_yet_to_score(panel: Scoring) -> None:
    each = len((await panel.desk.round("small")).standing)
    await panel.score("xu", "c1", "90", "80")
    await watch.watch_once(panel.desk)
    assert metrics.scoring_sheets_missing._value.get() == 2 * each - 1
    told = {word: metrics.scoring_experts.labels(word)._value.get() for word in metrics.Progress}
    assert told == {"not_begun": 1, "working": 1, "done": 0}
    assert metrics.scoring_sheets.labels("submitted")._value.get() == 1
    assert metrics.scoring_closes_in_seconds._value.get() > 0


async def test_only_complete_sheets_are_submitted_and_then_locked(panel: Scoring) -> None:
    await panel.call("PUT", SHEET, "xu", json={"marks": {"innovation": "90"}})
    early = await panel.call("POST", f"{SHEET}/submit", "xu")
    assert (early.status_code, early.json()["reason"], early.json()["missing"]) == (422, "marks_missing", ["effect"])
    await panel.score("xu", "c1", "90", "80")
    again = await panel.call("POST", f"{SHEET}/submit", "xu")
    assert (again.status_code, again.json()["state"]) == (200, "submitted")
    late = await panel.call("PUT", SHEET, "xu", json={"marks": {"innovation": "10"}})
    assert (late.status_code, late.json()["reason"]) == (409, "sheet_submitted")
    kept = await panel.call("GET", SHEET, "xu")
    assert kept.json()["marks"] == {"innovation": "90", "effect": "80"}


async def test_an_expert_sees_and_changes_own_sheets_only(panel: Scoring) -> None:
    await panel.score("xu", "c1", "90", "80")
    other = await panel.call("GET", SHEET, "li")
    assert (other.json()["state"], other.json()["marks"], other.json()["version"]) == ("draft", {}, 0)
    queue = await panel.call("GET", "/rounds/small/sheets", "li")
    assert [row["marks"] for row in queue.json()["sheets"]] == [{}, {}, {}]
    for username, status in (("ann", 403), ("eve", 403), ("", 401)):
        assert (await panel.call("GET", SHEET, username)).status_code == status
        assert (await panel.call("PUT", SHEET, username, json={"marks": {}})).status_code == status


async def test_an_expert_outside_the_panel_is_refused(panel: Scoring) -> None:
    await panel.add_staff("out", "expert")
    answer = await panel.call("PUT", SHEET, "out", json={"marks": {"innovation": "1"}})
    assert (answer.status_code, answer.json()["reason"]) == (403, "not_on_panel")


async def test_a_disabled_expert_is_out_at_once(panel: Scoring) -> None:
    await panel.add_staff("xu", "expert", version=2, disabled=True)
    assert (await panel.call("GET", SHEET, "xu")).status_code == 401


@pytest.mark.parametrize(("opens_in_s", "closes_in_s"), [(60, 120), (-120, -60)])
async def test_outside_the_window_nothing_is_saved(office: Scoring, opens_in_s: int, closes_in_s: int) -> None:
    now = datetime.now(UTC)
    opens, closes = now + timedelta(seconds=opens_in_s), now + timedelta(seconds=closes_in_s)
    await office.add_round(scored_rules(opens=opens, closes=closes))
    answer = await office.call("PUT", SHEET, "xu", json={"marks": {"innovation": "90"}})
    problem = answer.json()
    assert (answer.status_code, problem["reason"]) == (403, "window_closed")
    assert datetime.fromisoformat(problem["closes_at"]) == closes.replace(microsecond=0)


async def test_closing_the_round_early_ends_scoring(office: Scoring) -> None:
    rules = scored_rules()
    await office.add_round(rules)
    await office.add_round(rules, closed_early_at=datetime.now(UTC))
    answer = await office.call("PUT", SHEET, "xu", json={"marks": {"innovation": "90"}})
    assert (answer.status_code, answer.json()["reason"]) == (403, "window_closed")


async def test_a_declared_conflict_takes_the_marks_out_but_not_the_trace(panel: Scoring) -> None:
    await panel.call("PUT", SHEET, "xu", json={"marks": {"innovation": "90"}})
    empty = await panel.call("POST", f"{SHEET}/recusals", "xu", json={"reason": " "})
    assert (empty.status_code, empty.json()["reason"]) == (422, "reason_missing")
    done = await panel.call("POST", f"{SHEET}/recusals", "xu", json={"reason": "同一单位"})
    assert (done.status_code, done.json()["state"], done.json()["marks"]) == (201, "recused", {})
    later = await panel.call("PUT", SHEET, "xu", json={"marks": {"innovation": "90"}})
    assert (later.status_code, later.json()["reason"]) == (409, "sheet_recused")
    first = await panel.desk.pool.fetchrow("SELECT marks FROM sheet_versions WHERE version = 1")
    assert first is not None
    assert first["marks"] == {"innovation": "90"}


async def test_a_sheet_is_reopened_by_two_administrators_with_a_reason(panel: Scoring) -> None:
    await panel.score("xu", "c1", "90", "80")
    body = {"expert": "xu", "reason": "录入错误"}
    assert (await panel.call("POST", f"{SHEET}/reopenings", "xu", json=body)).status_code == 403
    without = await panel.call("POST", f"{SHEET}/reopenings", "ann", json={**body, "reason": ""})
    assert (without.status_code, without.json()["reason"]) == (422, "reason_missing")
    opened = await panel.call("POST", f"{SHEET}/reopenings", "ann", json=body)
    assert (opened.status_code, opened.json()["state"]) == (201, "proposed")
    locked = await panel.call("PUT", SHEET, "xu", json={"marks": {"innovation": "1"}})
    assert locked.json()["reason"] == "sheet_submitted"
    path = f"/rounds/small/proposals/{opened.json()['proposal']}/confirmations"
    own = await panel.call("POST", path, "ann")
    assert (own.status_code, own.json()["reason"]) == (409, "same_person")
    confirmed = await agree(panel, opened)
    assert "marks" not in confirmed.text
    assert (await panel.call("POST", path, "bob")).json() == confirmed.json()
    await panel.score("xu", "c1", "91", "80")
    trace = await panel.desk.pool.fetch("SELECT act, actor, reason FROM sheet_versions ORDER BY version")
    assert ("reopened", "ann, bob", "录入错误") in [tuple(row) for row in trace]
    missing = await panel.call("POST", f"{SHEET}/reopenings", "ann", json={**body, "expert": "nobody"})
    assert (missing.status_code, missing.json()["reason"]) == (404, "unknown_sheet")


async def test_a_save_based_on_an_older_version_is_refused(panel: Scoring) -> None:
    await panel.call("PUT", SHEET, "xu", json={"marks": {"innovation": "90"}, "version": 0})
    stale = await panel.call("PUT", SHEET, "xu", json={"marks": {"innovation": "10"}, "version": 0})
    assert (stale.status_code, stale.json()["reason"], stale.json()["version"]) == (409, "sheet_changed", 1)
    assert stale.json()["sheet"] == {"marks": {"innovation": "90"}, "comments": {}, "comment": "", "state": "draft"}


async def test_unknown_rounds_and_candidates_are_not_found(panel: Scoring) -> None:
    for path, reason in (
        ("/rounds/none/sheets/c1", "unknown_round"),
        ("/rounds/..%00/sheets/c1", "unknown_round"),
        ("/rounds/small/sheets/c9", "unknown_candidate"),
        ("/rounds/small/sheets/%00", "unknown_candidate"),
    ):
        answer = await panel.call("GET", path, "xu")
        assert (answer.status_code, answer.json()["reason"]) == (404, reason), path


async def test_the_trace_cannot_be_changed(panel: Scoring) -> None:
    import asyncpg

    await panel.score("xu", "c1", "90", "80")
    for statement in ("UPDATE sheet_versions SET reason = 'x'", "DELETE FROM sheet_versions"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await panel.desk.pool.execute(statement)
    owner = await asyncpg.connect(panel.database.owner_url)
    try:
        with pytest.raises(asyncpg.RestrictViolationError):
            await owner.execute("DELETE FROM sheet_versions")
    finally:
        await owner.close()


async def test_comments_stand_beside_criteria_and_survive_a_save_that_says_nothing_of_them(panel: Scoring) -> None:
    body = {"marks": {"innovation": "90"}, "comments": {"innovation": "新", "effect": " "}}
    saved = await panel.call("PUT", SHEET, "xu", json=body)
    assert saved.json()["comments"] == {"innovation": "新"}
    kept = await panel.call("PUT", SHEET, "xu", json={"marks": {"innovation": "91"}})
    assert kept.json()["comments"] == {"innovation": "新"}
    emptied = await panel.call("PUT", SHEET, "xu", json={"marks": {"innovation": "91"}, "comments": {}})
    assert (emptied.json()["comments"], emptied.json()["version"]) == ({}, 3)
    unknown = await panel.call("PUT", SHEET, "xu", json={"marks": {}, "comments": {"beauty": "x"}})
    assert (unknown.status_code, unknown.json()["criterion"]) == (422, "beauty")


async def test_a_mark_at_an_end_of_its_range_is_acknowledged_before_it_is_submitted(panel: Scoring) -> None:
    saved = await panel.call("PUT", SHEET, "xu", json={"marks": {"innovation": "100", "effect": "60"}})
    assert saved.json()["extreme"] == ["innovation"]
    doubted = await panel.call("POST", f"{SHEET}/submit", "xu", json={"acknowledged": ["effect"]})
    problem = doubted.json()
    assert (doubted.status_code, problem["reason"], problem["extreme"]) == (409, "marks_extreme", ["innovation"])
    meant = await panel.call("POST", f"{SHEET}/submit", "xu", json={"acknowledged": ["innovation"]})
    assert (meant.status_code, meant.json()["state"]) == (200, "submitted")


async def test_an_expert_looks_back_through_the_versions_of_the_own_sheet_in_pages(panel: Scoring) -> None:
    for mark in ("1", "2", "3"):
        await panel.call("PUT", SHEET, "xu", json={"marks": {"effect": mark}})
    first = (await panel.call("GET", f"{SHEET}/versions?limit=2", "xu")).json()
    assert ([each["marks"]["effect"] for each in first["items"]], first["next"]) == (["1", "2"], 2)
    rest = (await panel.call("GET", f"{SHEET}/versions?limit=2&after=2", "xu")).json()
    assert ([each["version"] for each in rest["items"]], rest["next"]) == ([3], None)
    assert (await panel.call("GET", f"{SHEET}/versions", "li")).json()["items"] == []
    wrong = await panel.call("GET", f"{SHEET}/versions?limit=0", "xu")
    assert (wrong.status_code, wrong.json()["reason"]) == (422, "bad_filter")


async def test_others_marks_are_shown_when_all_are_in_and_never_to_the_conflicted(panel: Scoring) -> None:
    path = "/rounds/small/candidates/c1/marks"
    await panel.score("xu", "c1", "90", "80")
    hidden = await panel.call("GET", path, "xu")
    assert (hidden.status_code, hidden.json()["reason"]) == (403, "marks_hidden")
    await panel.score("li", "c1", "70", "60")
    shown = (await panel.call("GET", path, "xu")).json()["sheets"]
    assert sorted(each["marks"]["effect"] for each in shown) == ["60", "80"]
    assert {"xu", "li"}.isdisjoint(each["expert"] for each in shown)
    await panel.add_staff("li", "expert", version=2, unit="单位1")
    refused = await panel.call("GET", path, "li")
    assert (refused.status_code, refused.json()["reason"]) == (403, "conflict_of_interest")
