"""The office at work: snapshots, the review meeting, paper sheets by two clerks, the progress board."""

from __future__ import annotations

from typing import Any

import pytest

from services.scoring.office.snapshots import snapshot_once
from tests.integration.scoring.conftest import Scoring, agree, scored_rules

ROUND = "/rounds/small"


@pytest.fixture
async def panel(office: Scoring) -> Scoring:
    await office.add_round(scored_rules(), experts=["xu", "li"])
    return office


async def snapshot_day(office: Scoring) -> str:
    """Take the day's snapshot anew, as if the day had just begun."""
    import asyncpg

    owner = await asyncpg.connect(office.database.owner_url)
    try:
        for table in ("snapshot_sheets", "snapshots"):
            await owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            await owner.execute(f"DELETE FROM {table}")
            await owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    finally:
        await owner.close()
    await snapshot_once(office.desk)
    [snapshot] = (await office.call("GET", f"{ROUND}/snapshots", "eve")).json()["snapshots"]
    return str(snapshot["day"])


async def test_a_snapshot_is_taken_once_a_day_and_restored_by_two(panel: Scoring) -> None:
    await panel.score("xu", "c1", "90", "80")
    day = await snapshot_day(panel)
    assert await snapshot_once(panel.desk) == 0
    body = {"expert": "xu", "reason": "录入错误"}
    await agree(panel, await panel.call("POST", f"{ROUND}/sheets/c1/reopenings", "ann", json=body))
    await panel.call("PUT", f"{ROUND}/sheets/c1", "xu", json={"marks": {"effect": "1"}})
    wanted = {"kind": "restore_snapshot", "day": day, "reason": "误操作"}
    proposed = await panel.call("POST", f"{ROUND}/proposals", "ann", json=wanted)
    assert (await panel.call("GET", f"{ROUND}/sheets/c1", "xu")).json()["state"] == "draft"
    await agree(panel, proposed)
    back = (await panel.call("GET", f"{ROUND}/sheets/c1", "xu")).json()
    assert (back["state"], back["marks"]) == ("submitted", {"innovation": "90", "effect": "80"})
    acts = await panel.desk.pool.fetch("SELECT act, actor FROM sheet_versions ORDER BY version")
    assert [row["act"] for row in acts] == ["saved", "submitted", "reopened", "saved", "restored"]
    assert acts[-1]["actor"] == "ann, bob"


@pytest.mark.parametrize("day", ["2001-01-01", "yesterday", ""])
async def test_a_day_without_a_snapshot_is_refused(panel: Scoring, day: str) -> None:
    body = {"kind": "restore_snapshot", "day": day, "reason": "误操作"}
    refused = await panel.call("POST", f"{ROUND}/proposals", "ann", json=body)
    assert (refused.status_code, refused.json()["reason"]) == (404, "unknown_snapshot")


async def test_proposals_are_listed_in_pages_and_an_unknown_one_is_refused(panel: Scoring) -> None:
    await panel.score("xu", "c1", "90", "80")
    for reason in ("一", "二", "三"):
        body = {"kind": "reopen_sheet", "candidate": "c1", "expert": "xu", "reason": reason}
        assert (await panel.call("POST", f"{ROUND}/proposals", "ann", json=body)).status_code == 201
    page = (await panel.call("GET", f"{ROUND}/proposals?limit=2", "eve")).json()
    assert [(each["reason"], each["state"]) for each in page["items"]] == [("一", "proposed"), ("二", "proposed")]
    rest = (await panel.call("GET", f"{ROUND}/proposals?limit=2&after={page['next']}", "eve")).json()
    assert ([each["reason"] for each in rest["items"]], rest["next"]) == (["三"], None)
    unknown = await panel.call("POST", f"{ROUND}/proposals/999/confirmations", "bob")
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "unknown_proposal")
    await panel.add_staff("ann", "auditor", version=2)
    stale = await panel.call("POST", f"{ROUND}/proposals/{page['next']}/confirmations", "bob")
    assert (stale.status_code, stale.json()["reason"]) == (409, "stale")


async def meet(office: Scoring, method: str, path: str = "", username: str = "ann", **more: Any) -> Any:
    return await office.call(method, f"{ROUND}/meeting{path}", username, **more)


async def test_a_meeting_goes_from_candidate_to_candidate_when_all_present_have_marked(panel: Scoring) -> None:
    none = await meet(panel, "GET")
    assert (none.status_code, none.json()["reason"]) == (404, "unknown_meeting")
    body = {"chair": "li", "present": ["xu", "li"]}
    stranger = await meet(panel, "POST", json={**body, "present": ["xu", "ghost"]})
    assert (stranger.status_code, stranger.json()["reason"]) == (403, "not_on_panel")
    assert (await meet(panel, "POST", json=body)).status_code == 201
    twice = await meet(panel, "POST", json=body)
    assert (twice.status_code, twice.json()["reason"]) == (409, "meeting_under_way")
    early = await panel.call("PUT", f"{ROUND}/sheets/c1", "xu", json={"marks": {"effect": "1"}})
    assert (early.status_code, early.json()["reason"]) == (409, "not_in_meeting")
    assert (await meet(panel, "POST", "/candidates/c1", "xu")).status_code == 403
    opened = (await meet(panel, "POST", "/candidates/c1", "li")).json()
    assert (opened["candidate"], opened["candidate_state"], opened["waits_for"]) == ("c1", "open", ["xu", "li"])
    await panel.score("xu", "c1", "90", "80")
    elsewhere = await panel.call("PUT", f"{ROUND}/sheets/c2", "xu", json={"marks": {"effect": "1"}})
    assert (elsewhere.status_code, elsewhere.json()["candidate"]) == (409, "c1")
    for path in ("/candidates/c2", "/end"):
        awaited = await meet(panel, "POST", path, "li")
        assert (awaited.status_code, awaited.json()["waits_for"]) == (409, ["li"]), path
        assert awaited.json()["reason"] == "marks_awaited"
    await panel.call("POST", f"{ROUND}/sheets/c1/recusals", "li", json={"reason": "同事"})
    assert (await meet(panel, "GET", "", "xu")).json()["candidate_state"] == "closed"
    assert (await meet(panel, "POST", "/candidates/c2", "li")).json()["candidate"] == "c2"
    for expert in ("xu", "li"):
        await panel.score(expert, "c2", "70", "70")
    assert (await meet(panel, "POST", "/end")).json()["state"] == "ended"
    assert (await panel.call("PUT", f"{ROUND}/sheets/c3", "xu", json={"marks": {"effect": "1"}})).status_code == 200
    assert (await meet(panel, "POST", "/candidates/c3")).status_code == 404
    await panel.add_staff("out", "expert")
    assert (await meet(panel, "GET", "", "out")).status_code == 403


async def test_whoever_is_absent_scores_on_beside_the_meeting(panel: Scoring) -> None:
    await meet(panel, "POST", json={"chair": "ann", "present": ["xu"]})
    assert (await panel.call("PUT", f"{ROUND}/sheets/c3", "li", json={"marks": {"effect": "1"}})).status_code == 200


async def issued(office: Scoring) -> str:
    answer = await office.call("POST", f"{ROUND}/papers", "ann", json={"candidate": "c1", "expert": "li"})
    assert answer.status_code == 201, answer.text
    return f"{ROUND}/papers/{answer.json()['code']}"


def reading(effect: str, **more: Any) -> dict[str, Any]:
    return {"json": {"marks": {"innovation": "90", "effect": effect}, "scan": "卷宗 3-17", **more}}


async def test_a_paper_sheet_counts_when_two_clerks_agree(panel: Scoring) -> None:
    path = await issued(panel)
    assert await issued(panel) == path
    first = (await panel.call("POST", f"{path.lower()}/entries", "ann", **reading("80"))).json()
    assert (first["state"], first["clerks"]) == ("waits", 1)
    assert (await panel.call("POST", f"{path}/entries", "ann", **reading("80"))).json()["state"] == "waits"
    blind = (await panel.call("GET", path, "bob")).json()
    assert blind["differences"] == {}
    second = (await panel.call("POST", f"{path}/entries", "bob", **reading("30", comment="好"))).json()
    assert second["state"] == "differs"
    assert second["differences"] == {"effect": ["80", "30"], "comment": ["", "好"]}
    await panel.add_staff("cai", "administrator")
    assert (await panel.call("GET", path, "cai")).json()["differences"] == {}
    assert await panel.desk.pool.fetchval("SELECT count(*) FROM sheets") == 0
    agreed = (await panel.call("POST", f"{path}/entries", "bob", **reading("80"))).json()
    assert agreed["state"] == "counted"
    row = await panel.desk.pool.fetchrow("SELECT act, actor, reason, marks FROM sheet_versions")
    assert row is not None
    assert (row["act"], row["actor"], row["marks"]) == ("entered", "ann, bob", {"innovation": "90", "effect": "80"})
    assert "卷宗 3-17" in row["reason"]
    late = await panel.call("POST", f"{path}/entries", "bob", **reading("80"))
    assert (late.status_code, late.json()["reason"]) == (409, "sheet_submitted")


async def test_paper_that_cannot_be_entered_is_refused(panel: Scoring) -> None:
    path = await issued(panel)
    missing = await panel.call("POST", f"{path}/entries", "ann", json={"marks": {"effect": "1"}, "scan": "x"})
    assert (missing.status_code, missing.json()["reason"]) == (422, "marks_missing")
    unseen = await panel.call("POST", f"{path}/entries", "ann", **reading("80", scan=" "))
    assert (unseen.status_code, unseen.json()["reason"]) == (422, "scan_missing")
    for method, body in (("GET", {}), ("POST", reading("80"))):
        end = "" if method == "GET" else "/entries"
        unknown = await panel.call(method, f"{ROUND}/papers/00000000{end}", "ann", **body)
        assert (unknown.status_code, unknown.json()["reason"]) == (404, "unknown_paper")
    stranger = await panel.call("POST", f"{ROUND}/papers", "ann", json={"candidate": "c1", "expert": "ghost"})
    assert (stranger.status_code, stranger.json()["reason"]) == (403, "not_assigned")
    await panel.add_staff("li", "expert", "administrator", version=2)
    own = await panel.call("POST", f"{path}/entries", "li", **reading("80"))
    assert (own.status_code, own.json()["reason"]) == (403, "conflict_of_interest")


async def test_the_board_tells_who_is_behind_and_was_reminded(panel: Scoring) -> None:
    await panel.score("xu", "c1", "90", "80")
    done = await panel.call("POST", f"{ROUND}/reminders", "ann", json={"experts": ["li"], "way": "电话"})
    assert done.status_code == 201, done.text
    stranger = await panel.call("POST", f"{ROUND}/reminders", "ann", json={"experts": ["ghost"], "way": "电话"})
    assert (stranger.status_code, stranger.json()["reason"]) == (403, "not_on_panel")
    board = (await panel.call("GET", f"{ROUND}/progress", "eve")).json()["panels"]
    major = next(each for each in board if each["group"] == "level=major")
    told = [(each["expert"], each["assigned"], each["open"], each["reminders"]) for each in major["experts"]]
    assert told == [("li", 2, 2, 1), ("xu", 2, 1, 0)]
    for expert, is_told in (("li", True), ("xu", False)):
        page = await panel.http.get("/expert", headers=panel.headers(expert) | {"accept": "text/html"})
        assert ("提醒您" in page.text) is is_told, expert
    assert (await panel.call("GET", f"{ROUND}/progress", "xu")).status_code == 403
