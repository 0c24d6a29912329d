"""Rehearsals: opened in one act, marked everywhere, in no public list, taken out of view when they are over."""

from __future__ import annotations

from tests.integration.registry.call_steps import CALL, announced, office, post
from tests.integration.registry.conftest import Registry, simple_files
from tests.integration.registry.test_lists import SELECTION, publish


async def test_a_round_is_rehearsed_with_its_own_candidates_and_rules(registry: Registry) -> None:
    await office(registry)
    files = simple_files(more=SELECTION)
    await registry.load(files)
    made = await post(registry, "/rounds/small/rehearsals", "admin1", minutes=10)
    assert made.status_code == 201, made.text
    facts = (await registry.call("GET", f"/rounds/{made.json()['round']}")).json()
    assert (facts["round"], facts["title"], facts["rehearsal"]) == ("small-rehearsal-1", "小评选（演练）", True)
    real = (await registry.call("GET", "/rounds/small")).json()
    assert {each["candidate"] for each in facts["candidates"]} == {each["candidate"] for each in real["candidates"]}
    again = await post(registry, "/rounds/small/rehearsals", "admin1")
    assert again.json()["round"] == "small-rehearsal-2"


async def test_a_call_is_rehearsed_with_made_up_candidates_that_fill_a_ballot(registry: Registry) -> None:
    """Nobody sees an application before its time: the candidates are invented, of every level and channel."""
    await announced(registry)
    made = await post(registry, f"/calls/{CALL}/rehearsals", "admin1", minutes=5)
    assert made.status_code == 201, made.text
    facts = (await registry.call("GET", f"/rounds/{made.json()['round']}")).json()
    assert {each["level"] for each in facts["candidates"]} == {"major", "key", "general"}
    assert {each["channel"] for each in facts["candidates"]} == {"wuhua", "city"}
    assert all(each["title"].startswith("演练项目") for each in facts["candidates"])
    assert (await registry.call("GET", f"/calls/{CALL}")).json()["state"] == "announced"


async def test_what_is_no_rehearsal_stays_and_what_is_open_stays(registry: Registry) -> None:
    await office(registry)
    await registry.load(simple_files())
    refused = await post(registry, "/rounds/small/removal", "admin1")
    assert (refused.status_code, refused.json()["reason"]) == (409, "not_a_rehearsal")
    for minutes in (0, 1441):
        refused = await post(registry, "/rounds/small/rehearsals", "admin1", minutes=minutes)
        assert (refused.status_code, refused.json()["reason"]) == (422, "bad_rehearsal")
    made = (await post(registry, "/rounds/small/rehearsals", "admin1", minutes=1)).json()["round"]
    refused = await post(registry, f"/rounds/{made}/rehearsals", "admin1")
    assert (refused.status_code, refused.json()["reason"]) == (422, "bad_rehearsal")
    registry.pass_time(10)
    refused = await post(registry, f"/rounds/{made}/removal", "admin1")
    assert (refused.status_code, refused.json()["reason"]) == (409, "window_open")


async def test_a_rehearsal_that_is_over_leaves_every_list_and_keeps_its_log(registry: Registry) -> None:
    await office(registry)
    await registry.load(simple_files(more=SELECTION))
    made = (await post(registry, "/rounds/small/rehearsals", "admin1", minutes=1)).json()
    await publish(registry, made["digest"], round=made["round"])
    assert made["round"] not in (await registry.http.get("/notices")).text
    registry.pass_time(120)
    for _ in range(2):
        assert (await post(registry, f"/rounds/{made['round']}/removal", "admin1")).status_code == 200
    rounds = (await registry.call("GET", "/rounds", "")).json()["rounds"]
    assert [each["round"] for each in rounds] == ["small"]
    told = [message for message in await registry.sent("registry.rounds", 4) if message.round == made["round"]]  # type: ignore[union-attr]
    assert told[-1].removed_at is not None  # type: ignore[union-attr]
    log = (await registry.call("GET", f"/log?round={made['round']}", "admin1")).json()["items"]
    assert [each["action"] for each in log if each["kind"] == "round"] == ["rehearsal.removed", "rehearsal.opened"]
