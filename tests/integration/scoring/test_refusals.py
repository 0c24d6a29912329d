"""Refusals of paper entries, of restoring, of ranking: each says what stands in the way, and changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.integration.scoring.conftest import Scoring, scored_rules
from tests.integration.scoring.test_office import snapshot_day

ROUND = "/rounds/small"
ENTRY = {"marks": {"innovation": "90", "effect": "80"}, "scan": "卷宗 3-17"}


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


async def issued(office: Scoring, expert: str = "li") -> str:
    answer = await office.call("POST", f"{ROUND}/papers", "ann", json={"candidate": "c1", "expert": expert})
    assert answer.status_code == 201, answer.text
    return f"{ROUND}/papers/{answer.json()['code']}/entries"


async def test_paper_is_entered_neither_before_scoring_opens_nor_after_publication(office: Scoring) -> None:
    now = datetime.now(UTC)
    later = scored_rules(opens=now + timedelta(hours=1), closes=now + timedelta(hours=2))
    await office.add_round(later, experts=["xu", "li"])
    early = await issued(office)
    assert refusal(await office.call("POST", early, "ann", json=ENTRY)) == (403, "window_closed")
    await office.add_round(scored_rules(votes="0", experts="1"), count=1, experts=["xu", "li"])
    path = await issued(office)
    for expert in ("xu", "li"):
        await office.score(expert, "c1", "90", "80")
    assert (await office.call("POST", path, "ann", json=ENTRY)).json()["state"] == "waits"
    assert (await office.call("POST", f"{ROUND}/rankings", "ann")).status_code == 201
    assert (await office.call("POST", f"{ROUND}/rankings/1/confirmations", "bob")).status_code == 201
    assert refusal(await office.call("POST", path, "ann", json=ENTRY)) == (409, "round_published")


async def test_paper_of_ones_own_unit_is_entered_by_colleagues(office: Scoring) -> None:
    await office.add_round(scored_rules(), experts=["xu", "li"])
    path = await issued(office)
    await office.add_staff("rev", "reviewer", unit="单位1")
    assert refusal(await office.call("POST", path, "rev", json=ENTRY)) == (403, "conflict_of_interest")
    assert refusal(await office.call("POST", path, "xu", json=ENTRY)) == (403, "forbidden")
    bad = {**ENTRY, "marks": {"innovation": "90", "effect": "101"}}
    assert refusal(await office.call("POST", path, "bob", json=bad)) == (422, "bad_marks")
    assert await office.desk.pool.fetchval("SELECT count(*) FROM paper_entries") == 0


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"day": "someday"}, (404, "unknown_snapshot")),
        ({"day": "2020-01-01"}, (404, "unknown_snapshot")),
        ({"candidate": "c9"}, (404, "unknown_candidate")),
        ({"expert": "ghost"}, (404, "unknown_snapshot")),
        ({"expert": "ann"}, (403, "conflict_of_interest")),
        ({"reason": " "}, (422, "reason_missing")),
        ({"kind": "reopen_sheet", "candidate": "c2", "expert": "li"}, (404, "unknown_sheet")),
        ({"kind": "lift_conflict", "candidate": "c1", "expert": "xu"}, (404, "unknown_sheet")),
    ],
)
async def test_what_cannot_be_restored_is_not_even_proposed(
    office: Scoring, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    await office.add_round(scored_rules(), experts=["xu", "li"])
    await office.score("xu", "c1", "90", "80")
    wanted = {"kind": "restore_snapshot", "day": await snapshot_day(office), "reason": "误操作", **body}
    assert refusal(await office.call("POST", f"{ROUND}/proposals", "ann", json=wanted)) == expected
    assert await office.desk.pool.fetchval("SELECT count(*) FROM proposals") == 0


async def test_a_snapshot_is_restored_by_two_different_people(office: Scoring) -> None:
    await office.add_round(scored_rules(), experts=["xu", "li"])
    await office.score("xu", "c1", "90", "80")
    wanted = {"kind": "restore_snapshot", "day": await snapshot_day(office), "reason": "误操作"}
    number = (await office.call("POST", f"{ROUND}/proposals", "ann", json=wanted)).json()["proposal"]
    path = f"{ROUND}/proposals/{number}/confirmations"
    assert refusal(await office.call("POST", path, "ann")) == (409, "same_person")
    assert refusal(await office.call("POST", path, "eve")) == (403, "forbidden")
    assert (await office.call("POST", path, "bob")).status_code == 201


async def test_marks_that_the_rules_cannot_be_applied_to_are_told(office: Scoring) -> None:
    await office.add_round(scored_rules(votes="0", experts="1", more='[experts]\nadjust = "z_score"\n'), experts=["xu"])
    for candidate in ("c1", "c2", "c3"):
        await office.score("xu", candidate, "90", "80")
    refused = await office.call("POST", f"{ROUND}/rankings", "ann")
    assert refusal(refused) == (409, "not_rankable")
    assert "15" in refused.json()["detail"]


async def test_a_missing_tally_says_what_voting_waits_for(office: Scoring) -> None:
    await office.add_round(scored_rules(), experts=["xu"])
    for candidate in ("c1", "c2", "c3"):
        await office.score("xu", candidate, "90", "80")
    refused = await office.call("POST", f"{ROUND}/rankings", "ann")
    assert (*refusal(refused), "every hold is decided" in refused.json()["detail"]) == (409, "tally_missing", True)
