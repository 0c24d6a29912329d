"""Versions of a ranking: previewed without storing, compared, explained, filtered."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.shared.messages import VOTING_TALLIES, ReopenedMessage, RoundEvent
from tests.integration.scoring.conftest import Scoring, agree, scored_rules

RANKINGS = "/rounds/small/rankings"
VOTES = {"c1": 300, "c2": 200, "c3": 100}


@pytest.fixture
async def published(office: Scoring) -> Scoring:
    """Version 1 is public: c1 before c3 among the major ones, c2 alone among the key ones."""
    await office.add_round(scored_rules(), experts=["xu"])
    for candidate, mark in (("c1", "90"), ("c2", "80"), ("c3", "70")):
        await office.score("xu", candidate, mark, mark)
    await office.add_tally(VOTES)
    await publish(office)
    return office


async def publish(office: Scoring, **recomputation: str) -> None:
    proposed = await office.call("POST", RANKINGS, "ann", json=recomputation or None)
    assert proposed.status_code == 201, proposed.text
    confirmed = await office.call("POST", f"{RANKINGS}/{proposed.json()['version']}/confirmations", "bob")
    assert confirmed.status_code == 201, confirmed.text


async def correct(office: Scoring, candidate: str, mark: str) -> None:
    """Two reopen a sheet and its expert submits another mark."""
    path, body = f"/rounds/small/sheets/{candidate}", {"expert": "xu", "reason": "录入错误"}
    await agree(office, await office.call("POST", f"{path}/reopenings", "ann", json=body))
    await office.score("xu", candidate, mark, mark)


async def test_a_preview_tells_who_moves_and_why_and_stores_nothing(published: Scoring) -> None:
    await correct(published, "c1", "1")
    told = (await published.call("GET", "/rounds/small/preview", "ann")).json()
    assert told["because"] == {"rules": False, "tally": False, "sheets": True, "software": False}
    moves = {each["candidate"]: each for each in told["rows"]}
    assert set(moves) == {"c1", "c3"}
    assert (moves["c1"]["place_before"], moves["c1"]["place_after"], moves["c1"]["because"]) == (1, 2, ["marks"])
    assert (moves["c3"]["place_before"], moves["c3"]["place_after"], moves["c3"]["because"]) == (2, 1, ["others"])
    assert (moves["c1"]["total_difference"], moves["c3"]["total_difference"]) == ("-62.30", "0.00")
    assert told["moved"] == 2
    assert await published.desk.pool.fetchval("SELECT count(*) FROM rankings") == 1
    for username, status in (("eve", 403), ("xu", 403), ("", 401)):
        assert (await published.call("GET", "/rounds/small/preview", username)).status_code == status


async def test_no_preview_while_a_sheet_is_open_and_it_says_which(published: Scoring) -> None:
    body = {"expert": "xu", "reason": "录入错误"}
    await agree(published, await published.call("POST", "/rounds/small/sheets/c1/reopenings", "ann", json=body))
    refused = await published.call("GET", "/rounds/small/preview", "ann")
    assert (refused.status_code, refused.json()["reason"]) == (409, "sheet_open")
    assert refused.json()["sheets"] == [{"expert": "xu", "candidate": "c1"}]


async def test_a_first_preview_has_nothing_to_compare_with(office: Scoring) -> None:
    await office.add_round(scored_rules(votes="0", experts="1"), count=1, experts=["xu"])
    await office.score("xu", "c1", "90", "90")
    told = (await office.call("GET", "/rounds/small/preview", "ann")).json()
    assert (told["before"], told["after"], len(told["rows"])) == (None, 1, 1)


async def test_two_versions_are_compared_by_everybody_once_both_are_published(published: Scoring) -> None:
    await published.add_tally({**VOTES, "c3": 900}, version=2)
    cause = {"cause": "ballots_restored", "reason": "复核后恢复选票"}
    assert (await published.call("POST", RANKINGS, "ann", json=cause)).json()["version"] == 2
    path = f"{RANKINGS}/1/compare/2"
    hidden = await published.call("GET", path)
    assert (hidden.status_code, hidden.json()["reason"]) == (404, "unknown_ranking")
    assert (await published.call("GET", path, "eve")).status_code == 200
    await published.call("POST", f"{RANKINGS}/2/confirmations", "bob")
    told = (await published.call("GET", path)).json()
    assert told["because"]["tally"] is True
    assert told["recomputation"] == {"version": 2, "based_on": 1, **cause}
    assert {each["candidate"]: each["because"] for each in told["rows"]} == {"c3": ["votes"], "c1": ["others"]}
    assert {each["candidate"]: each["votes"] for each in told["rows"]}["c3"] == [100, 900]


async def test_nothing_is_ranked_between_a_hold_after_the_seal_and_the_next_tally(published: Scoring) -> None:
    """Ballots are decided on, and that sealed, before anybody sees what it does; an older proposal waits too."""
    await correct(published, "c1", "1")
    cause = {"cause": "objection_upheld", "reason": "异议成立"}
    proposed = (await published.call("POST", RANKINGS, "ann", json=cause)).json()["version"]
    for counts, reason in (((1, 0, 0), "holds_open"), ((0, 4, 1), "tally_missing")):
        await published.send(VOTING_TALLIES, ReopenedMessage("small", 1, *counts))
        asked = [await published.call("GET", "/rounds/small/preview", "ann")]
        asked.append(await published.call("POST", RANKINGS, "ann", json=cause))
        asked.append(await published.call("POST", f"{RANKINGS}/{proposed}/confirmations", "bob"))
        assert [(each.status_code, each.json()["reason"]) for each in asked] == [(409, reason)] * 3
    state = (await published.call("GET", "/rounds/small/state", "ann")).json()
    assert state["reopening"] == {"version": 1, "undecided": 0, "excluded": 4, "restored": 1}
    await published.add_tally({**VOTES, "c3": 900}, version=2)
    assert (await published.call("GET", "/rounds/small/preview", "ann")).json()["because"]["tally"] is True
    await publish(published, cause="ballots_excluded", reason="剔除四张，恢复一张")
    listed = (await published.call("GET", RANKINGS)).json()["rankings"]
    assert [each["tally_version"] for each in listed] == [1, 2]


async def test_a_confirmed_list_is_not_ranked_again(published: Scoring) -> None:
    await correct(published, "c1", "1")
    events = [RoundEvent(datetime.now(UTC), event, "list 1") for event in ("published", "list_confirmed")]
    message = await published.add_round(scored_rules(), experts=["xu"], events=events)
    assert message.list_confirmed_at is not None
    cause = {"cause": "sheet_reopened", "reason": "录入错误"}
    for refused in (
        await published.call("GET", "/rounds/small/preview", "ann"),
        await published.call("POST", RANKINGS, "ann", json=cause),
    ):
        assert (refused.status_code, refused.json()["reason"]) == (409, "list_confirmed")


@pytest.mark.parametrize("body", [{"cause": "mood", "reason": "x"}, {"cause": "objection_upheld", "reason": " "}])
async def test_a_recomputation_names_a_known_cause_and_a_reason(published: Scoring, body: dict[str, str]) -> None:
    await correct(published, "c1", "1")
    refused = await published.call("POST", RANKINGS, "ann", json=body)
    assert refused.status_code in (400, 422), refused.text
    assert await published.desk.pool.fetchval("SELECT count(*) FROM rankings") == 1


async def test_rows_are_filtered_and_come_in_pages(published: Scoring) -> None:
    path = f"{RANKINGS}/1/rows"
    major = (await published.call("GET", f"{path}?group=level%3Dmajor&limit=1")).json()
    assert ([row["candidate"] for row in major["items"]], major["next"]) == (["c1"], 1)
    rest = (await published.call("GET", f"{path}?group=level%3Dmajor&limit=1&after=1")).json()
    assert ([row["candidate"] for row in rest["items"]], rest["next"]) == (["c3"], None)
    found = (await published.call("GET", f"{path}?text=项目2")).json()
    assert [row["candidate"] for row in found["items"]] == ["c2"]
    assert (await published.call("GET", f"{path}?limit=9999")).json()["reason"] == "bad_filter"
