"""Re-check, confirmation, retraction: acts on a list that take two people, and what the public sees of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.registry.audit import INVARIANTS
from services.registry.lists import proposals
from services.shared.messages import REGISTRY_ROUNDS, RoundMessage
from tests.integration.registry.conftest import Registry
from tests.integration.registry.test_lists import CHANGED, loaded, publish
from tests.support.registry_lists import (
    PROMOTION,
    REMOVAL,
    change,
    confirm,
    now,
    office,
    past_window,
    propose,
    refusal,
)
from tests.support.waiting import wait_until

MEETING = {"meeting_number": "第12次主任办公会", "held_on": "2020-11-20"}
C3_BEFORE = {"group": "all", "place": 1, "total": "9", "outcome": "selected", "level": "major"}


@pytest.fixture
async def listed(registry: Registry) -> Registry:
    """A round with list 1, published now, and an office."""
    await office(registry)
    await publish(registry, await loaded(registry), published_at=now())
    return registry


async def lists_of(registry: Registry) -> dict[str, Any]:
    return dict((await registry.call("GET", "/rounds/small/lists", "")).json())


async def shown(registry: Registry, version: int) -> dict[str, Any]:
    answer = await registry.call("GET", f"/rounds/small/lists/{version}", "")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def candidates(shown_list: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["candidate"], each["outcome"]) for each in shown_list["entries"]]


async def test_a_preview_tells_who_would_move_and_stores_nothing(listed: Registry) -> None:
    body = {"version": 1, "changes": [REMOVAL, PROMOTION]}
    answer = await listed.call("POST", "/rounds/small/lists/preview", "ann", json=body)
    assert answer.status_code == 200, answer.text
    moves = {each["candidate"]: (each["move"], each["why"][0]["reason"]) for each in answer.json()["difference"]}
    assert moves == {"c3": ("left", "untrue"), "c2": ("promoted", "vacancy")}
    assert answer.json()["difference"][0]["before"] == C3_BEFORE
    assert await listed.parts.pool.fetchval("SELECT count(*) FROM lists") == 1
    assert await listed.parts.pool.fetchval("SELECT count(*) FROM list_proposals") == 0


async def test_two_people_change_a_list_with_a_public_difference(listed: Registry) -> None:
    done = await change(listed, 1, REMOVAL, PROMOTION)
    assert (done["state"], done["newest_list"], done["actions"]) == ("done", 2, [])
    second = await shown(listed, 2)
    assert candidates(second) == [("c1", "selected"), ("c2", "selected")]
    assert [(each["candidate"], each["move"]) for each in second["difference"]] == [("c3", "left"), ("c2", "promoted")]
    assert second["difference"][0]["why"][0]["text"] == REMOVAL["text"]
    assert second["touched"] == ["c3", "c2"]
    assert candidates(await shown(listed, 1)) == [("c3", "selected"), ("c1", "selected"), ("c2", "reserve")]
    page = (await listed.http.get("/notices/small")).text
    assert all(text in page for text in ("材料不实", REMOVAL["text"], "退出名单", "递补入选", "?version=1"))
    messages = [m for m in await listed.sent(REGISTRY_ROUNDS, 3) if isinstance(m, RoundMessage)]
    assert (messages[-1].list_version, messages[-1].ranking_version) == (2, 1)
    assert messages[-1].events[-1].event == "list_changed"


async def test_the_one_who_proposed_cannot_confirm(listed: Registry) -> None:
    proposed = (await propose(listed, "ann", 1, REMOVAL)).json()
    assert proposed["actions"] == ["withdrawal"]
    assert refusal(await confirm(listed, "ann", proposed["proposal"])) == (409, "same_person")
    assert (await lists_of(listed))["items"][0]["version"] == 1


async def test_confirming_again_is_harmless_and_two_at_once_make_one_version(listed: Registry) -> None:
    await listed.add_staff("eve", "administrator")
    number = (await propose(listed, "ann", 1, REMOVAL)).json()["proposal"]
    answers = await asyncio.gather(*(confirm(listed, who, number) for who in ("bob", "eve", "bob")))
    assert sorted(each.status_code for each in answers if each.status_code == 200)
    assert {each.status_code for each in answers} <= {200, 409}
    assert await listed.parts.pool.fetchval("SELECT count(*) FROM lists") == 2
    assert await listed.parts.pool.fetchval("SELECT count(*) FROM list_changes") == 1
    winner = await listed.parts.pool.fetchval("SELECT confirmed_by FROM list_proposals")
    assert (await confirm(listed, winner, number)).status_code == 200
    loser = {"bob": "eve", "eve": "bob"}[winner]
    assert refusal(await confirm(listed, loser, number)) == (409, "already_decided")


async def test_of_two_competing_proposals_the_second_is_stale(listed: Registry) -> None:
    first = (await propose(listed, "ann", 1, REMOVAL)).json()["proposal"]
    other = (await propose(listed, "bob", 1, {**REMOVAL, "candidate": "c1"})).json()["proposal"]
    assert (await confirm(listed, "bob", first)).status_code == 200
    stale = await confirm(listed, "ann", other)
    assert (refusal(stale), stale.json()["version"]) == ((409, "stale_version"), 2)
    assert refusal(await propose(listed, "ann", 1, PROMOTION)) == (409, "stale_version")
    assert (await lists_of(listed))["items"][0]["version"] == 2


@pytest.mark.parametrize("belongs", [{"unit": "单位3"}, {"channel": "区1"}])
async def test_nobody_rechecks_what_concerns_their_own(listed: Registry, belongs: dict[str, str]) -> None:
    await listed.add_staff("own", "administrator", **belongs)
    assert refusal(await propose(listed, "own", 1, REMOVAL)) == (403, "conflict_of_interest")
    number = (await propose(listed, "ann", 1, REMOVAL)).json()["proposal"]
    assert refusal(await confirm(listed, "own", number)) == (403, "conflict_of_interest")
    body = {"version": 1, "changes": [REMOVAL]}
    previewed = await listed.call("POST", "/rounds/small/lists/preview", "own", json=body)
    assert refusal(previewed) == (403, "conflict_of_interest")


@pytest.mark.parametrize("role", ["reviewer", "auditor", "applicant", "channel_officer", "expert", "operator"])
async def test_only_administrators_change_lists(listed: Registry, role: str) -> None:
    await listed.add_staff("other", role, unit="单位9", channel="区9")
    assert refusal(await propose(listed, "other", 1, REMOVAL)) == (403, "forbidden")
    number = (await propose(listed, "ann", 1, REMOVAL)).json()["proposal"]
    assert refusal(await confirm(listed, "other", number)) == (403, "forbidden")
    assert refusal(await listed.call("GET", "/rounds/small/lists/proposals", "")) == (401, "bad_token")


async def test_what_would_change_nothing_is_refused(listed: Registry) -> None:
    answer = await propose(listed, "ann", 1, PROMOTION)
    assert (refusal(answer), answer.json()["change"]) == ((409, "change_without_effect"), 1)
    assert refusal(await propose(listed, "ann", 1, {**REMOVAL, "reason": "vacancy"})) == (422, "bad_list_change")
    assert refusal(await propose(listed, "ann", 1, {**REMOVAL, "candidate": "x"})) == (422, "bad_list_change")
    assert refusal(await propose(listed, "ann", 1)) == (422, "bad_list_change")
    assert (await propose(listed, "ann", 1, {**REMOVAL, "kind": "delete"})).status_code == 400


async def test_a_proposal_of_somebody_who_left_office_no_longer_counts(listed: Registry) -> None:
    number = (await propose(listed, "ann", 1, REMOVAL)).json()["proposal"]
    await listed.parts.pool.execute("UPDATE staff SET disabled = true WHERE staff = 'ann'")
    assert refusal(await confirm(listed, "bob", number)) == (409, "already_decided")


async def test_a_withdrawn_proposal_is_over(listed: Registry) -> None:
    number = (await propose(listed, "ann", 1, REMOVAL)).json()["proposal"]
    path = f"/rounds/small/lists/proposals/{number}/withdrawal"
    assert refusal(await listed.call("POST", path, "ann", json={"reason": " "})) == (422, "reason_missing")
    assert (await listed.call("POST", path, "ann", json={"reason": "写错了"})).json()["state"] == "withdrawn"
    assert refusal(await confirm(listed, "bob", number)) == (409, "already_decided")
    assert refusal(await confirm(listed, "bob", 999)) == (404, "unknown_proposal")


async def test_who_was_removed_before_the_first_list_never_enters_it(registry: Registry) -> None:
    await office(registry)
    digest = await loaded(registry)
    await change(registry, 0, REMOVAL)
    assert refusal(await registry.call("GET", "/rounds/small/lists/1", "")) == (404, "unknown_list")
    await publish(registry, digest, published_at=now())
    first = await shown(registry, 1)
    assert candidates(first) == [("c1", "selected"), ("c2", "reserve")]
    assert [(each["candidate"], each["move"]) for each in first["difference"]] == [("c3", "left")]


async def test_a_new_ranking_forgets_no_change_and_tells_its_difference(listed: Registry) -> None:
    await change(listed, 1, REMOVAL, PROMOTION)
    digest = (await listed.call("GET", "/rounds/small", "")).json()["digest"]
    changed = CHANGED.replace("all,3,c2,7,7,,,reserve", "all,3,c2,7.5,7.5,,,reserve")
    await publish(listed, digest, 2, changed, published_at=now())
    third = await shown(listed, 3)
    assert (third["ranking_version"], third["origin"], third["touched"]) == (2, "ranking", None)
    assert candidates(third) == [("c1", "selected"), ("c2", "selected")]
    assert {each["candidate"]: each["places_moved"] for each in third["difference"]} == {"c1": 1, "c2": 0}


async def test_a_scheduled_change_is_released_once_when_its_time_has_come(listed: Registry) -> None:
    at = listed.parts.clock.now() + timedelta(hours=2)
    done = await change(listed, 1, REMOVAL, release_at=at.isoformat())
    assert (done["state"], done["newest_list"]) == ("scheduled", 1)
    assert await proposals.release_once(listed.parts.pool, at - timedelta(seconds=1)) == 0
    released = await asyncio.gather(*(proposals.release_once(listed.parts.pool, at) for _ in range(3)))
    assert sum(released) == 1
    assert (await lists_of(listed))["items"][0]["version"] == 2


async def test_the_elected_worker_releases(listed: Registry) -> None:
    at = listed.parts.clock.now() + timedelta(hours=2)
    await change(listed, 1, REMOVAL, release_at=at.isoformat())
    listed.pass_time(2 * 3600 + 1)

    async def released() -> bool:
        return bool((await lists_of(listed))["items"][0]["version"] == 2)

    await wait_until(released, 10, "the change is released")


async def test_a_scheduled_change_lapses_where_the_list_moved_on(listed: Registry) -> None:
    at = listed.parts.clock.now() + timedelta(hours=2)
    waiting = await change(listed, 1, REMOVAL, release_at=at.isoformat())
    await change(listed, 1, {**REMOVAL, "candidate": "c1"})
    await proposals.release_once(listed.parts.pool, at)
    path = f"/rounds/small/lists/proposals/{waiting['proposal']}"
    assert (await listed.call("GET", path, "aud")).json()["state"] == "lapsed"
    assert (await lists_of(listed))["items"][0]["version"] == 2
    past = listed.parts.clock.now() - timedelta(seconds=1)
    refused = await propose(listed, "ann", 2, REMOVAL, release_at=past.isoformat())
    assert refusal(refused) == (422, "bad_list_change")


async def test_a_meeting_confirms_the_list_after_its_window(listed: Registry) -> None:
    path = "/rounds/small/lists/1/confirmation"
    early = await listed.call("POST", path, "ann", json=MEETING)
    assert (refusal(early), "closes_at" in early.json()) == ((409, "notice_open"), True)
    await past_window(listed, by_s=-1)
    assert refusal(await listed.call("POST", path, "ann", json=MEETING)) == (409, "notice_open")
    await past_window(listed, by_s=0)
    number = (await listed.call("POST", path, "ann", json=MEETING)).json()["proposal"]
    assert refusal(await confirm(listed, "ann", number)) == (409, "same_person")
    assert (await confirm(listed, "bob", number)).json()["state"] == "done"
    assert (await shown(listed, 1))["meeting_number"] == MEETING["meeting_number"]
    assert refusal(await listed.call("POST", path, "ann", json=MEETING)) == (409, "already_confirmed")
    assert (await listed.call("GET", "/rounds/small", "")).json()["events"][-1]["event"] == "list_confirmed"
    assert MEETING["meeting_number"] in (await listed.http.get("/notices/small")).text


async def test_a_meeting_is_described_whole(listed: Registry) -> None:
    await past_window(listed)
    path = "/rounds/small/lists/1/confirmation"
    for wrong in ({"meeting_number": " "}, {"held_on": "2099-01-01"}):
        answer = await listed.call("POST", path, "ann", json={**MEETING, **wrong})
        assert refusal(answer) == (422, "bad_meeting")
    answer = await listed.call("POST", path, "ann", json={**MEETING, "minutes": "nothing"})
    assert refusal(answer) == (404, "unknown_attachment")
    assert refusal(await listed.call("POST", "/rounds/small/lists/x/confirmation", "ann", json=MEETING)) == (
        404, "unknown_list",
    )  # fmt: skip


async def test_a_retracted_list_stays_readable_and_says_so(listed: Registry) -> None:
    path = "/rounds/small/lists/1/retraction"
    assert refusal(await listed.call("POST", path, "ann", json={"text": ""})) == (422, "reason_missing")
    number = (await listed.call("POST", path, "ann", json={"text": "名单打印有误，现予撤回。"})).json()["proposal"]
    assert refusal(await confirm(listed, "ann", number)) == (409, "same_person")
    assert (await confirm(listed, "bob", number)).status_code == 200
    first = await shown(listed, 1)
    assert (first["retraction"], len(first["entries"])) == ("名单打印有误，现予撤回。", 3)
    assert "已经撤回" in (await listed.http.get("/notices/small")).text
    await past_window(listed)
    confirmed = await listed.call("POST", "/rounds/small/lists/1/confirmation", "ann", json=MEETING)
    assert refusal(confirmed) == (409, "retracted")
    assert refusal(await listed.call("POST", path, "ann", json={"text": "再撤"})) == (409, "retracted")
    for ending in ("pdf", "docx"):
        paper = await listed.call("GET", f"/rounds/small/lists/1.retraction.{ending}", "")
        assert (paper.status_code, len(paper.content) > 1000) == (200, True)


async def test_a_document_number_is_given_once(listed: Registry) -> None:
    await change(listed, 1, REMOVAL)
    number = {"document_number": "昆社建办通〔2020〕9号"}
    for _ in range(2):
        assert (await listed.call("POST", "/rounds/small/lists/1/document", "ann", json=number)).status_code == 201
    used = await listed.call("POST", "/rounds/small/lists/2/document", "ann", json=number)
    assert refusal(used) == (409, "document_number_used")
    other = await listed.call("POST", "/rounds/small/lists/1/document", "ann", json={"document_number": "10号"})
    assert refusal(other) == (409, "document_number_used")
    empty = await listed.call("POST", "/rounds/small/lists/1/document", "ann", json={"document_number": " "})
    assert refusal(empty) == (422, "bad_document")
    assert (await shown(listed, 1))["document_number"] == number["document_number"]
    for ending, head in (("pdf", b"%PDF"), ("docx", b"PK")):
        paper = await listed.call("GET", f"/rounds/small/lists/1.{ending}", "")
        assert paper.content.startswith(head)
    assert refusal(await listed.call("GET", "/rounds/small/lists/1.exe", "")) == (404, "unknown_list")


async def test_the_stamped_scan_is_public_and_minutes_are_not(listed: Registry) -> None:
    paper = (await listed.call("GET", "/rounds/small/lists/1.pdf", "")).content
    assert refusal(await listed.call("GET", "/rounds/small/lists/1/scan", "")) == (404, "unknown_attachment")
    kept = {}
    for purpose in ("stamped_list", "minutes"):
        answer = await listed.call(
            "POST", "/rounds/small/lists/1/attachments", "ann", files={"file": ("list.pdf", paper)},
            data={"purpose": purpose},
        )  # fmt: skip
        assert answer.status_code == 201, answer.text
        kept[purpose] = answer.json()["attachment"]
    assert (await listed.call("GET", "/rounds/small/lists/1/scan", "")).content == paper
    assert (await listed.call("GET", f"/attachments/{kept['minutes']}", "")).status_code == 401
    assert (await listed.call("GET", f"/attachments/{kept['minutes']}", "aud")).content == paper
    wrong = await listed.call(
        "POST", "/rounds/small/lists/1/attachments", "ann", files={"file": ("list.pdf", paper)},
        data={"purpose": "voucher"},
    )  # fmt: skip
    assert refusal(wrong) == (422, "bad_document")
    await past_window(listed)
    body = {**MEETING, "minutes": kept["minutes"]}
    assert (await listed.call("POST", "/rounds/small/lists/1/confirmation", "ann", json=body)).status_code == 201


async def test_every_act_is_in_the_log_and_the_invariants_hold(listed: Registry) -> None:
    await change(listed, 1, REMOVAL, PROMOTION)
    rows = await listed.parts.pool.fetch("SELECT action, actor FROM log_entries WHERE kind = 'list' ORDER BY id")
    assert [tuple(row) for row in rows] == [("list_change.proposed", "ann"), ("list_change.confirmed", "bob")]
    for name, query in INVARIANTS.items():
        assert await listed.parts.pool.fetch(query) == [], name
    with pytest.raises(Exception, match=r"append-only|permission denied"):
        await listed.parts.pool.execute("DELETE FROM list_changes")


async def test_proposals_are_listed_page_by_page(listed: Registry) -> None:
    for candidate in ("c3", "c1", "c2"):
        await propose(listed, "ann", 1, {**REMOVAL, "candidate": candidate})
    first = (await listed.call("GET", "/rounds/small/lists/proposals?limit=2", "bob")).json()
    assert (len(first["items"]), first["items"][0]["actions"]) == (2, ["confirmation", "withdrawal"])
    rest = (await listed.call("GET", f"/rounds/small/lists/proposals?after={first['next']}", "aud")).json()
    assert (len(rest["items"]), rest["next"], rest["items"][0]["actions"]) == (1, None, [])
