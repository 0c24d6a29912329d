"""Objections: filed by anybody in time, handled by the office, the objector hidden, upheld by two people."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.registry import metrics
from services.registry.audit import INVARIANTS
from services.registry.objections import duties
from tests.integration.registry.conftest import Registry
from tests.integration.registry.test_lists import loaded, publish
from tests.support.registry_lists import (
    DAY_S,
    OBJECTION,
    REMOVAL,
    change,
    handle,
    into_window,
    now,
    object_to,
    office,
    past_window,
    propose,
    refusal,
)

MEETING = {"meeting_number": "第12次主任办公会", "held_on": "2020-11-20"}
NOT_UPHELD = {"decision": "not_upheld", "reply": "经核查，台账与申报书一致，异议不成立。"}
UPHELD = {"decision": "upheld", "reply": "经核查，异议属实，将调整名单。", "remedy": "list_change"}


@pytest.fixture
async def listed(registry: Registry) -> Registry:
    """A round whose list can be objected to now, and an office."""
    await office(registry)
    await publish(registry, await loaded(registry), published_at=now())
    await into_window(registry)
    return registry


async def filed(registry: Registry, **changes: Any) -> str:
    answer = await object_to(registry, **changes)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["receipt"])


async def state_of(registry: Registry, receipt: str) -> dict[str, Any]:
    return dict((await registry.call("GET", f"/objections/{receipt}", "")).json())


async def test_a_receipt_tells_state_due_date_and_reply_and_nothing_else(listed: Registry) -> None:
    receipt = await filed(listed)
    facts = await state_of(listed, f"{receipt[:5]}-{receipt[5:].lower()}")
    assert (facts["state"], facts["days_left"], facts["overdue"], facts["reply"]) == ("received", 5, False, "")
    assert not {"text", "name", "phone", "candidate", "owner", "kind"} & set(facts)
    assert (await handle(listed, "ann", receipt, "decision", **NOT_UPHELD)).status_code == 200
    answered = await state_of(listed, receipt)
    assert (answered["state"], answered["reply"]) == ("not_upheld", NOT_UPHELD["reply"])
    assert refusal(await listed.call("GET", f"/objections/{'0' * 20}", "")) == (404, "unknown_objection")


async def test_a_second_too_late_is_too_late(registry: Registry) -> None:
    await office(registry)
    await publish(registry, await loaded(registry), published_at=now())
    early = await object_to(registry)
    assert (refusal(early), "opens_at" in early.json()) == ((403, "not_yet_open"), True)
    await past_window(registry, by_s=-30)
    assert (await object_to(registry)).status_code == 201
    await past_window(registry, by_s=1)
    late = await object_to(registry)
    assert (refusal(late), "closed_at" in late.json()) == ((403, "deadline_passed"), True)
    page = await registry.http.get("/notices/small/objection")
    assert "现在不在异议期内" in page.text


async def test_an_objection_needs_work_that_was_not_used(listed: Registry) -> None:
    missing = await listed.call("POST", "/rounds/small/objections", "", json=OBJECTION)
    assert (refusal(missing), "challenge" in missing.json()) == ((428, "challenge_required"), True)
    assert refusal(await object_to(listed, altcha="AAAA")) == (403, "challenge_failed")
    wrong = await object_to(listed, text="短")
    assert refusal(wrong) == (422, "bad_objection")
    assert refusal(await object_to(listed, candidate="x")) == (404, "unknown_candidate")
    assert await listed.parts.pool.fetchval("SELECT count(*) FROM objections") == 0


async def test_an_address_over_its_allowance_works_harder_and_is_never_refused(listed: Registry) -> None:
    address = listed.parts.intake._keyed("203.0.113.9")
    for _ in range(3):
        await listed.parts.pool.execute("INSERT INTO objection_tries VALUES ($1, $2)", address, now())
    listed.pass_time(-(listed.parts.clock.now() - now()).total_seconds())
    assert await listed.parts.intake._level(listed.parts.pool, "203.0.113.9") == 1
    assert await listed.parts.intake._level(listed.parts.pool, "203.0.113.10") == 0


async def test_the_objector_is_hidden_in_every_answer_and_unreadable_in_the_database(listed: Registry) -> None:
    receipt = await filed(listed)
    name, phone = OBJECTION["name"], OBJECTION["phone"]
    paths = ("/rounds/small/objections", f"/objections/{receipt}", f"/objections/{receipt}/file")
    for path in paths:
        for who in ("ann", "rev", "aud"):
            text = (await listed.call("GET", path, who)).text
            assert name not in text
            assert phone not in text
    for table in ("objections", "log_entries", "objection_tries", "outbox"):
        rows = await listed.parts.pool.fetch(f"SELECT * FROM {table}")
        assert name not in json.dumps([str(dict(row)) for row in rows], ensure_ascii=False)
    sealed = await listed.parts.pool.fetchval("SELECT sealed FROM objection_persons")
    assert name.encode() not in sealed
    await listed.add_staff("unit3", "applicant", unit="单位3")
    await listed.add_staff("area1", "channel_officer", channel="区1")
    for who in ("unit3", "area1"):
        assert refusal(await listed.call("GET", "/rounds/small/objections", who)) == (403, "forbidden")
        assert refusal(await listed.call("GET", f"/objections/{receipt}/file", who)) == (403, "forbidden")
    opened = await listed.call("POST", f"/objections/{receipt}/person", "aud", json={"reason": "查"})
    assert refusal(opened) == (403, "forbidden")


async def test_a_name_is_opened_with_a_reason_that_stands_in_the_log(listed: Registry) -> None:
    receipt = await filed(listed)
    path = f"/objections/{receipt}/person"
    assert refusal(await listed.call("POST", path, "ann", json={"reason": " "})) == (422, "reason_missing")
    opened = await listed.call("POST", path, "ann", json={"reason": "电话核实"})
    assert opened.json() == {"name": OBJECTION["name"], "phone": OBJECTION["phone"]}
    query = "SELECT actor, personal, after FROM log_entries WHERE action = 'objection.person_read'"
    assert [tuple(row) for row in await listed.parts.pool.fetch(query)] == [("ann", True, {"reason": "电话核实"})]
    assert (await handle(listed, "rev", receipt, "contact")).json()["contacted_at"]


async def test_a_sealed_name_is_opened_by_its_owner_only(listed: Registry) -> None:
    receipt = await filed(listed, kind="sealed")
    path, reason = f"/objections/{receipt}/person", {"reason": "电话核实"}
    assert refusal(await listed.call("POST", path, "ann", json=reason)) == (403, "forbidden")
    assert (await handle(listed, "ann", receipt, "owner", owner="rev")).status_code == 200
    assert (await listed.call("POST", path, "rev", json=reason)).json()["name"] == OBJECTION["name"]


async def test_upholding_takes_two_people(listed: Registry) -> None:
    receipt = await filed(listed)
    assert (await handle(listed, "ann", receipt, "decision", **UPHELD)).json()["state"] == "deciding"
    told = await state_of(listed, receipt)
    assert (told["state"], told["reply"]) == ("in_hand", "")
    alone = await handle(listed, "ann", receipt, "decision/confirmation")
    assert refusal(alone) == (409, "same_person")
    back = await handle(listed, "rev", receipt, "decision/confirmation", agree=False, reason="证据不足")
    assert back.json()["state"] == "assigned"
    await handle(listed, "ann", receipt, "decision", **UPHELD)
    assert (await handle(listed, "bob", receipt, "decision/confirmation")).json()["state"] == "upheld"
    assert refusal(await handle(listed, "bob", receipt, "decision", **NOT_UPHELD)) == (409, "objection_answered")


async def test_a_decision_is_whole_and_made_on_what_was_read(listed: Registry) -> None:
    receipt = await filed(listed)
    for wrong in ({**UPHELD, "reply": ""}, {**UPHELD, "remedy": None}, {**NOT_UPHELD, "decision": "noted"}):
        assert refusal(await handle(listed, "ann", receipt, "decision", **wrong)) == (422, "bad_decision")
    assert refusal(await handle(listed, "rev", receipt, "decision", **NOT_UPHELD)) == (403, "forbidden")
    stale = await listed.call("POST", f"/objections/{receipt}/decision", "ann", json={**NOT_UPHELD, "version": 9})
    assert (refusal(stale), stale.json()["version"]) == ((409, "stale_version"), 1)
    assert refusal(await handle(listed, "ann", receipt, "owner", owner="aud")) == (404, "unknown_staff")


async def test_nobody_handles_or_reads_what_concerns_their_own(listed: Registry) -> None:
    receipt = await filed(listed)
    await listed.add_staff("own", "reviewer", "administrator", unit="单位3")
    for act, body in (("owner", {"owner": "rev"}), ("decision", NOT_UPHELD), ("contact", {})):
        assert refusal(await handle(listed, "own", receipt, act, **body)) == (403, "conflict_of_interest")
    assert refusal(await listed.call("GET", f"/objections/{receipt}/file", "own")) == (403, "conflict_of_interest")
    assert refusal(await handle(listed, "ann", receipt, "owner", owner="own")) == (403, "conflict_of_interest")
    assert (await listed.call("GET", "/rounds/small/objections", "own")).json()["items"] == []
    assert len((await listed.call("GET", "/rounds/small/objections", "rev")).json()["items"]) == 1


async def test_an_open_objection_holds_up_the_confirmation_until_its_remedy_is_made(listed: Registry) -> None:
    receipt = await filed(listed)
    await past_window(listed)
    path = "/rounds/small/lists/1/confirmation"
    waiting = await listed.call("POST", path, "ann", json=MEETING)
    assert (refusal(waiting), waiting.json()["objections"]) == ((409, "objections_open"), 1)
    early = await propose(listed, "ann", 1, REMOVAL, objection=receipt)
    assert refusal(early) == (422, "bad_list_change")
    await handle(listed, "ann", receipt, "decision", **UPHELD)
    await handle(listed, "bob", receipt, "decision/confirmation")
    assert refusal(await listed.call("POST", path, "ann", json=MEETING)) == (409, "objections_open")
    await change(listed, 1, REMOVAL, objection=receipt)
    path = "/rounds/small/lists/2/confirmation"
    assert refusal(await listed.call("POST", path, "ann", json=MEETING)) == (409, "notice_open")
    await into_window(listed)
    untouched = await object_to(listed, candidate="c1")
    assert refusal(untouched) == (403, "deadline_passed")
    await past_window(listed)
    assert (await listed.call("POST", path, "ann", json=MEETING)).status_code == 201
    for name, query in INVARIANTS.items():
        assert await listed.parts.pool.fetch(query) == [], name


async def test_leads_and_offline_objections_are_entered_by_the_office(listed: Registry) -> None:
    today = listed.parts.clock.now().astimezone(ZoneInfo("Asia/Shanghai")).date()
    body = {"kind": "lead", "medium": "letter", "ground": "violation", "received_on": str(today),
            "text": "有人看到该单位发红包拉票，没有署名。"}  # fmt: skip
    path = "/rounds/small/objections/offline"
    assert refusal(await listed.call("POST", path, "aud", json=body)) == (403, "forbidden")
    lead = (await listed.call("POST", path, "rev", json=body)).json()["receipt"]
    named = {**body, "kind": "named", "name": "王一", "phone": "0871-1234567"}
    receipt = (await listed.call("POST", path, "rev", json=named)).json()["receipt"]
    old = await listed.call("POST", path, "rev", json={**named, "received_on": "2020-01-01"})
    assert refusal(old) == (403, "not_yet_open")
    assert refusal(await handle(listed, "ann", lead, "decision", **NOT_UPHELD)) == (422, "bad_decision")
    noted = {"decision": "noted", "reply": "已转有关部门核查。"}
    assert (await handle(listed, "ann", lead, "decision", **noted)).json()["state"] == "noted"
    assert (await state_of(listed, receipt))["state"] == "received"


async def test_what_is_late_is_counted(listed: Registry) -> None:
    receipt = await filed(listed)
    listed.pass_time(30 * DAY_S)
    facts = await state_of(listed, receipt)
    assert facts["overdue"]
    assert facts["days_left"] < 0
    await duties.measure_once(listed.parts.pool, listed.parts.clock.now())
    assert metrics.objections_overdue._value.get() == 1
    assert metrics.objections.labels("received")._value.get() == 1


async def test_the_form_works_as_a_form(listed: Registry) -> None:
    page = await listed.http.get("/notices/small/objection", headers={"accept": "text/html"})
    assert all(text in page.text for text in ("实名", "密封", "objection.js", "项目3"))
    token = page.text.split('name="_csrf_token" value="')[1].split('"')[0]
    form = {key: value for key, value in OBJECTION.items() if key != "altcha"}
    sent = await listed.http.post("/notices/small/objection", data={**form, "_csrf_token": token})
    assert (sent.status_code, OBJECTION["text"] in sent.text) == (422, True)
    receipt = await filed(listed)
    looked = await listed.http.post(
        "/notices/small/objection/receipt", data={"receipt": receipt.lower(), "_csrf_token": token}
    )
    assert looked.headers["location"] == f"/notices/small/objection/{receipt}"
    shown = await listed.http.get(looked.headers["location"])
    assert "已收到" in shown.text
    assert OBJECTION["text"] not in shown.text
