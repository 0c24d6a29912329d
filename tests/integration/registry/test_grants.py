"""The money of projects: bookings and their vouchers, over-spends, changes of budget, acceptance, settlement."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.registry import metrics
from services.registry.grants.watch import watch_once
from tests.integration.registry.conftest import Registry, simple_files
from tests.support.project_rounds import SELECTION, Office, open_office

PASSED = {"opinion": "passed", "reason": "达到申报目标"}


@pytest.fixture
async def office(registry: Registry) -> Office:
    """Projects c1 and c2 with their whole grant."""
    rules = simple_files(more=SELECTION)["rules.toml"].replace("choices_max = 3", "choices_max = 2")
    office = await open_office(registry, rules)
    await office.grant("c1")
    await office.grant("c2")
    return office


async def line_of(office: Office, number: int = 1) -> Any:
    return (await office.project())["lines"][number - 1]


async def booked(office: Office, amount: str, name: str, **changes: Any) -> Any:
    """A booking of the unit of c1 that the office has confirmed."""
    body = office.booking(await office.upload("unit1", name), amount, **changes)
    await office.post("unit1", "/c1/bookings", body)
    path = f"/c1/bookings/{body['booking']}/checks"
    assert (await office.post("rita", path, {"outcome": "confirmed"}))["state"] == "confirmed"
    return body


async def outcomes(office: Office, *words: str) -> list[dict[str, Any]]:
    evidence = await office.upload("unit1", "evidence", purpose="evidence")
    return [
        {"target": target, "outcome": word, "remark": "见材料", "evidence": [evidence] if word != "not_met" else []}
        for target, word in enumerate(words, start=1)
    ]


async def accept(office: Office, **body: Any) -> None:
    made = await office.post("ann", "/c1/acceptances", body)
    await office.sign("c1", made["proposal"], "rita")


async def test_a_voucher_counts_once_over_all_projects(office: Office) -> None:
    first = office.booking(await office.upload("unit1", "same"), "10.00")
    answer = await office.post("unit1", "/c1/bookings", first)
    assert (answer["line"]["spent"], answer["line"]["left"], answer["booking"]["state"]) == (
        "10.00", "990.00", "unchecked",
    )  # fmt: skip
    await office.post("unit1", "/c1/bookings", first, 200)
    assert (await office.post("unit1", "/c1/bookings", first | {"amount": "11.00"}, 409))["reason"] == "id_reused"
    elsewhere = office.booking(await office.upload("unit2", "same", "c2"), "10.00")
    refused = await office.post("unit2", "/c2/bookings", elsewhere, 409)
    assert (refused["reason"], "used_by" in refused) == ("voucher_used", False)
    told = await office.post("ann", "/c2/bookings", elsewhere, 409)
    assert told["used_by"] == {"round": "small", "candidate": "c1", "booking": first["booking"]}
    own_again = office.booking(first["voucher"], "5.00", line=2)
    assert (await office.post("unit1", "/c1/bookings", own_again, 409))["reason"] == "voucher_used"
    assert (await line_of(office))["spent"] == "10.00"


async def test_two_projects_booking_one_voucher_at_once_cannot_both_win(office: Office) -> None:
    for attempt in range(3):
        bodies = [
            (unit, candidate, office.booking(await office.upload(unit, f"race {attempt}", candidate), "1.00"))
            for unit, candidate in (("unit1", "c1"), ("unit2", "c2"))
        ]
        answers = await asyncio.gather(
            *(office.call(unit, "POST", f"/{candidate}/bookings", json=body) for unit, candidate, body in bodies)
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409], [answer.text for answer in answers]


async def test_a_wrong_booking_is_reversed_and_its_voucher_booked_anew(office: Office) -> None:
    wrong = office.booking(await office.upload("unit1", "typo"), "100.00")
    await office.post("unit1", "/c1/bookings", wrong)
    path = f"/c1/bookings/{wrong['booking']}/reversals"
    storno = {"booking": str(uuid4()), "reason": "金额录错"}
    assert (await office.post("unit1", path, {"booking": str(uuid4()), "reason": " "}, 422))[
        "reason"
    ] == "reason_missing"
    assert (await office.post("unit1", path, storno))["line"]["spent"] == "0.00"
    await office.post("unit1", path, storno, 200)
    twice = {"booking": str(uuid4()), "reason": "再来一次"}
    assert (await office.post("unit1", path, twice, 409))["reason"] == "already_reversed"
    of_storno = f"/c1/bookings/{storno['booking']}/reversals"
    assert (await office.post("unit1", of_storno, twice, 422))["reason"] == "bad_booking"
    checks = f"/c1/bookings/{wrong['booking']}/checks"
    assert (await office.post("rita", checks, {"outcome": "confirmed"}, 409))["reason"] == "already_reversed"
    right = office.booking(wrong["voucher"], "10.00")
    assert (await office.post("unit1", "/c1/bookings", right))["line"]["spent"] == "10.00"
    again = office.booking(wrong["voucher"], "10.00")
    assert (await office.post("unit1", "/c1/bookings", again, 409))["reason"] == "voucher_used"
    states = [each["state"] for each in (await office.project())["bookings"]]
    assert states == ["reversed", "reversal", "unchecked"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": "1.005"}, "bad_amount"), ({"amount": "0.00"}, "bad_amount"), ({"amount": "-1"}, "bad_amount"),
        ({"line": 3}, "bad_booking"), ({"spent_on": "2999-01-01"}, "bad_booking"), ({"purpose": ""}, "bad_booking"),
        ({"voucher": "nothing"}, "voucher_missing"), ({"voucher": "theirs"}, "voucher_missing"),
    ],
)  # fmt: skip
async def test_what_cannot_be_booked(office: Office, changes: dict[str, Any], reason: str) -> None:
    if changes.get("voucher") == "theirs":
        changes = {"voucher": await office.upload("unit2", "theirs", "c2")}
    voucher = await office.upload("unit1", "mine")
    refused = await office.post("unit1", "/c1/bookings", office.booking(voucher, "1.00") | changes, 422)
    assert refused["reason"] == reason
    assert (await office.project())["bookings"] == []


async def test_a_project_without_a_grant_books_nothing(registry: Registry) -> None:
    rules = simple_files(more=SELECTION)["rules.toml"].replace("choices_max = 3", "choices_max = 2")
    office = await open_office(registry, rules)
    body = office.booking(await office.upload("unit1", "early"), "1.00")
    assert (await office.post("unit1", "/c1/bookings", body, 409))["reason"] == "wrong_state"


async def test_money_spent_outside_the_period_is_flagged(office: Office) -> None:
    body = office.booking(await office.upload("unit1", "old"), "1.00", spent_on="2020-12-31")
    assert (await office.post("unit1", "/c1/bookings", body))["booking"]["outside_period"] is True


async def test_who_books_does_not_check(office: Office) -> None:
    body = office.booking(await office.upload("ann", "paper"), "1.00")
    await office.post("ann", "/c1/bookings", body)
    path = f"/c1/bookings/{body['booking']}/checks"
    assert (await office.post("ann", path, {"outcome": "confirmed"}, 409))["reason"] == "same_person"
    assert (await office.post("unit1", path, {"outcome": "confirmed"}, 403))["reason"] == "forbidden"
    assert (await office.post("bob", path, {"outcome": "queried"}, 422))["reason"] == "reason_missing"
    assert (await office.post("bob", path, {"outcome": "queried", "comment": "看不清"}))["state"] == "queried"
    nothing = f"/c1/bookings/{uuid4()}/checks"
    assert (await office.post("bob", nothing, {"outcome": "confirmed"}, 404))["reason"] == "unknown_booking"


async def test_an_overspend_is_booked_flagged_and_covered_by_a_change_of_budget(office: Office) -> None:
    body = office.booking(await office.upload("unit1", "big"), "1200.50")
    line = (await office.post("unit1", "/c1/bookings", body))["line"]
    assert (line["is_overspent"], line["overspent"], line["uncovered"]) == (True, "200.50", "200.50")
    await watch_once(office.registry.parts.pool, office.registry.parts.clock.now())
    assert metrics.projects_overdue.labels("overspend")._value.get() == 1
    moves = [{"from_line": 2, "to_line": 1, "amount": "200.50"}]
    change = {"moves": moves, "reason": "培训场次增加"}
    assert (await office.post("ann", "/c1/budget-changes", change, 403))["reason"] == "forbidden"
    made = await office.post("unit1", "/c1/budget-changes", change)
    await office.sign("c1", made["proposal"], "ann")
    assert (await line_of(office))["uncovered"] == "200.50"
    assert (await office.sign("c1", made["proposal"], "ann", status=409))["reason"] == "same_person"
    assert (await office.sign("c1", made["proposal"], "rita"))["state"] == "effective"
    line = await line_of(office)
    assert (line["approved"], line["overspent"], line["is_overspent"]) == ("1200.50", "0.00", False)
    assert (await line_of(office, 2))["approved"] == "300.00"


@pytest.mark.parametrize(
    ("move", "reason"),
    [
        ({"from_line": 2, "to_line": 1, "amount": "500.51"}, "bad_change"),
        ({"from_line": 2, "to_line": 2, "amount": "1"}, "bad_change"),
        ({"from_line": 2, "to_line": 7, "amount": "1"}, "bad_change"),
        ({"from_line": 2, "to_line": 1, "amount": "0.001"}, "bad_amount"),
    ],
)  # fmt: skip
async def test_a_change_of_budget_moves_only_what_is_there(office: Office, move: dict[str, Any], reason: str) -> None:
    body = {"moves": [move], "reason": "调剂"}
    assert (await office.post("unit1", "/c1/budget-changes", body, 422))["reason"] == reason


async def test_a_change_that_no_longer_fits_takes_no_effect(office: Office) -> None:
    body = {"moves": [{"from_line": 2, "to_line": 1, "amount": "500"}], "reason": "调剂"}
    made = await office.post("unit1", "/c1/budget-changes", body)
    await office.sign("c1", made["proposal"], "ann")
    spent = office.booking(await office.upload("unit1", "meanwhile"), "400.00", line=2)
    await office.post("unit1", "/c1/bookings", spent)
    refused = await office.sign("c1", made["proposal"], "rita", status=422)
    assert (refused["reason"], refused["left"]) == ("bad_change", "100.50")
    assert (await line_of(office))["approved"] == "1000.00"
    assert len((await office.project())["proposals"][-1]["signatures"]) == 1


async def test_own_funds_cover_an_overspend(office: Office) -> None:
    await booked(office, "1000.01", "slightly more")
    own = office.booking(await office.upload("unit1", "transfer"), "0.01", kind="own_funds", purpose="单位自筹")
    line = (await office.post("unit1", "/c1/bookings", own))["line"]
    assert (line["overspent"], line["own_funds"], line["uncovered"], line["eligible"]) == (
        "0.01", "0.01", "0.00", "1000.00",
    )  # fmt: skip


async def test_acceptance_answers_every_target_with_evidence(office: Office) -> None:
    whole = await outcomes(office, "met", "partly")
    refusals = [
        (whole[:1], PASSED), ([*whole, whole[0]], PASSED), ([whole[0], whole[1] | {"evidence": []}], PASSED),
        ([whole[0], whole[1] | {"outcome": "not_met"}], PASSED),
        (whole, PASSED | {"opinion": "rectify"}), (whole, PASSED | {"rectify_before": "2999-01-01"}),
        (whole, {"opinion": "rectify", "reason": "补", "rectify_before": "2020-01-01"}),
    ]  # fmt: skip
    for targets, opinion in refusals:
        refused = await office.post("ann", "/c1/acceptances", {"targets": targets, **opinion}, 422)
        assert refused["reason"] == "bad_acceptance", (targets, opinion)
    foreign = [whole[0] | {"evidence": ["nothing"]}, whole[1]]
    assert (await office.post("ann", "/c1/acceptances", {"targets": foreign, **PASSED}, 422))[
        "reason"
    ] == "voucher_missing"
    made = await office.post("ann", "/c1/acceptances", {"targets": whole, **PASSED})
    assert (await office.project())["state"] == "running"
    await office.sign("c1", made["proposal"], "rita")
    project = await office.project()
    assert (project["state"], project["acceptances"][0]["late"]) == ("accepted", True)
    assert [each["outcome"] for each in project["acceptances"][0]["targets"]] == ["met", "partly"]
    page = (await office.registry.http.get("/projects/small/c1")).text
    assert all(text in page for text in ("验收合格", "超过期限", "达到申报目标", "部分完成"))


async def test_acceptance_before_the_due_day_is_not_late(office: Office, registry: Registry) -> None:
    await registry.parts.pool.execute("SELECT 1")
    due = (registry.parts.clock.now() + timedelta(days=365)).date().isoformat()
    whole = await outcomes(office, "not_met", "met")
    await accept(office, targets=whole, opinion="rectify", reason="限期整改", rectify_before=due)
    project = await office.project()
    assert (project["state"], project["acceptance_due"], project["acceptances"][0]["late"]) == ("rectifying", due, True)
    await accept(office, targets=await outcomes(office, "met", "met"), **PASSED)
    project = await office.project()
    assert [each["late"] for each in project["acceptances"]] == [True, False]
    again = {"targets": whole, "opinion": "failed", "reason": "重来"}
    assert (await office.post("ann", "/c1/acceptances", again, 409))["reason"] == "wrong_state"


async def test_open_findings_forbid_acceptance(office: Office, registry: Registry) -> None:
    later = registry.parts.clock.now() + timedelta(days=365)
    plan = {"planned_on": later.date().isoformat(), "topic": "抽查"}
    inspection = (await office.post("rita", "/c1/inspections", plan))["inspection"]
    held = {"outcome": "findings", "held_on": "2021-06-01", "summary": "有问题"}
    finding = {"text": "台账不全", "remedy": "补齐", "due_on": "2021-07-01"}
    await office.post("rita", f"/c1/inspections/{inspection}/reports", held | {"findings": [finding]})
    body = {"targets": await outcomes(office, "met", "met"), **PASSED}
    assert (await office.post("ann", "/c1/acceptances", body, 409))["reason"] == "findings_open"
    await watch_once(registry.parts.pool, registry.parts.clock.now())
    gauge = metrics.projects_overdue
    assert [gauge.labels(what)._value.get() for what in ("finding", "inspection", "acceptance")] == [1, 0, 2]


async def test_the_settlement_says_what_comes_back(office: Office) -> None:
    pay = {
        "payment": str(uuid4()), "kind": "instalment", "instalment": 1, "amount": "1500.50", "paid_on": "2021-01-20",
        "document_number": "昆财〔2021〕3号",
    }  # fmt: skip
    await office.post("ann", "/c1/payments", pay)
    body = {"reason": "结算"}
    assert (await office.post("ann", "/c1/settlements", body, 409))["reason"] == "wrong_state"
    spent = await booked(office, "1000.01", "training")
    await accept(office, targets=await outcomes(office, "met", "met"), **PASSED)
    refused = await office.post("ann", "/c1/settlements", body, 409)
    assert (refused["reason"], refused["lines"]) == ("overspend_open", {"1": "0.01"})
    own = office.booking(await office.upload("unit1", "own"), "0.01", kind="own_funds")
    await office.post("unit1", "/c1/bookings", own)
    refused = await office.post("ann", "/c1/settlements", body, 409)
    assert (refused["reason"], refused["bookings"]) == ("unchecked_bookings", 1)
    await office.post("rita", f"/c1/bookings/{own['booking']}/checks", {"outcome": "confirmed"})
    much = body | {"disallowed": "1000.01"}
    assert (await office.post("ann", "/c1/settlements", much, 422))["reason"] == "bad_amount"
    made = await office.post("ann", "/c1/settlements", body | {"disallowed": "99.50"})
    late = await booked(office, "50.00", "insurance", line=2)
    assert (await office.sign("c1", made["proposal"], "rita", status=409))["reason"] == "figures_changed"
    refusal = {"decision": "refuse", "reason": "又有支出"}
    await office.post("rita", f"/c1/proposals/{made['proposal']}/decisions", refusal)
    made = await office.post("ann", "/c1/settlements", body | {"disallowed": "99.50"})
    await office.sign("c1", made["proposal"], "rita")
    project = await office.project()
    assert project["state"] == "settled"
    assert project["settlement"] == {
        "granted": "1500.50", "paid": "1500.50", "spent": "1050.01", "own_funds": "0.01", "eligible": "950.50",
        "to_return": "550.00", "to_pay": "0.00",
    }  # fmt: skip
    storno = {"booking": str(uuid4()), "reason": "太晚"}
    path = f"/c1/bookings/{late['booking']}/reversals"
    assert (await office.post("unit1", path, storno, 409))["reason"] == "wrong_state"
    assert spent["booking"] in [each["booking"] for each in project["bookings"]]
    back = {
        "payment": str(uuid4()), "kind": "return", "amount": "550.01", "paid_on": "2022-01-20",
        "document_number": "昆财〔2022〕1号",
    }  # fmt: skip
    assert (await office.post("ann", "/c1/payments", back, 422))["reason"] == "bad_payment"
    await office.post("ann", "/c1/payments", back | {"amount": "550.00"})
    assert (await office.project())["paid"] == "950.50"
