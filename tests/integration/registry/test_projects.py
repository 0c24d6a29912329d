"""Projects from the confirmed list to the settlement, through the HTTP interface."""

from __future__ import annotations

from uuid import uuid4

import pytest

from services.registry.office.tasks import TaskKind
from tests.integration.registry.conftest import Registry, simple_files
from tests.integration.registry.test_office_pages import page
from tests.integration.registry.test_office_pages import waiting as tasks_of
from tests.support.project_rounds import OPENING, SELECTION, Office, local_day, managed_round, open_office


def rules() -> str:
    return simple_files(more=SELECTION)["rules.toml"].replace("choices_max = 3", "choices_max = 2")


@pytest.fixture
async def office(registry: Registry) -> Office:
    return await open_office(registry, rules())


async def test_projects_open_only_from_a_confirmed_list(registry: Registry) -> None:
    office = await managed_round(registry, rules(), confirmed=False)
    refused = await office.post("ann", "", OPENING, 409)
    assert (refused["reason"], refused["list_version"]) == ("not_confirmed", 1)
    assert (await office.call("ann", "GET", "")).json() == {"items": [], "next": None}


async def test_opening_again_changes_nothing(office: Office) -> None:
    assert (await office.post("bob", "", {"starts_on": "2022-01-01"}, 200))["opened"] == []
    project = await office.project()
    assert (project["starts_on"], project["accept_before"], project["state"]) == ("2021-01-01", "2021-12-01", "opened")
    assert [(line["line"], line["requested"], line["approved"]) for line in project["lines"]] == [
        (1, "1000.00", "0.00"), (2, "500.50", "0.00"),
    ]  # fmt: skip
    assert [target["text"] for target in project["targets"]] == ["十人组全部组建", "到岗率达到90%"]


async def test_by_default_a_project_runs_for_the_next_year(registry: Registry) -> None:
    office = await managed_round(registry, rules())
    await office.post("ann", "", {})
    project, year = await office.project(), registry.parts.clock.now().year + 1
    assert (project["starts_on"], project["ends_on"]) == (f"{year}-01-01", f"{year}-12-31")
    assert project["accept_before"] == f"{year}-12-01"


async def test_impossible_days_are_refused(registry: Registry) -> None:
    office = await managed_round(registry, rules())
    backwards = {"starts_on": "2021-06-01", "ends_on": "2021-01-01"}
    assert (await office.post("ann", "", backwards, 422))["reason"] == "bad_project"


async def test_a_grant_needs_two_people_and_adds_up(office: Office) -> None:
    lines = [{"line": 1, "amount": "900"}, {"line": 2, "amount": "0"}]
    body = {"lines": lines, "instalments": [{"amount": "900.00", "planned_on": "2021-01-15"}], "reason": "核减"}
    made = await office.post("ann", "/c1/grants", body)
    assert (await office.project())["state"] == "opened"
    assert (await office.sign("c1", made["proposal"], "ann", status=409))["reason"] == "same_person"
    assert (await office.post("bob", "/c1/grants", body, 409))["reason"] == "proposal_open"
    await office.sign("c1", made["proposal"], "bob")
    project = await office.project()
    assert (project["state"], project["granted"], project["paid"]) == ("running", "900.00", "0.00")
    assert (await office.sign("c1", made["proposal"], "rita", status=409))["reason"] == "already_decided"
    assert (await office.post("bob", "/c1/grants", body, 409))["reason"] == "wrong_state"


@pytest.mark.parametrize(
    ("lines", "instalment", "reason"),
    [
        ([(1, "1000.01"), (2, "0")], "1000.01", "bad_grant"),
        ([(1, "900"), (2, "0")], "899.99", "bad_grant"),
        ([(1, "900")], "900", "bad_grant"),
        ([(1, "900"), (1, "0")], "900", "bad_grant"),
        ([(1, "0"), (2, "0")], "1", "bad_grant"),
        ([(1, "900.001"), (2, "0")], "900", "bad_amount"),
        ([(1, "-5"), (2, "0")], "5", "bad_amount"),
        ([(1, "1e2"), (2, "0")], "100", "bad_amount"),
        ([(1, "１００"), (2, "0")], "100", "bad_amount"),
    ],
)
async def test_a_grant_that_does_not_fit_is_refused(
    office: Office, lines: list[tuple[int, str]], instalment: str, reason: str
) -> None:
    body = {
        "lines": [{"line": line, "amount": amount} for line, amount in lines],
        "instalments": [{"amount": instalment, "planned_on": "2021-01-15"}], "reason": "核减",
    }  # fmt: skip
    assert (await office.post("ann", "/c1/grants", body, 422))["reason"] == reason
    assert (await office.project())["proposals"] == []


async def test_a_refused_proposal_makes_room_for_another(office: Office) -> None:
    lines = [{"line": 1, "amount": "900"}, {"line": 2, "amount": "0"}]
    body = {"lines": lines, "instalments": [{"amount": "900.00", "planned_on": "2021-01-15"}], "reason": "核减"}
    made = await office.post("ann", "/c1/grants", body)
    path = f"/c1/proposals/{made['proposal']}/decisions"
    assert (await office.post("bob", path, {"decision": "refuse"}, 422))["reason"] == "reason_missing"
    assert (await office.post("bob", path, {"decision": "refuse", "reason": "太少"}))["state"] == "refused"
    await office.grant()
    assert (await office.project())["granted"] == "1500.50"


async def test_a_signature_of_somebody_who_left_the_office_counts_no_more(office: Office, registry: Registry) -> None:
    body = {
        "lines": [{"line": 1, "amount": "900"}, {"line": 2, "amount": "0"}],
        "instalments": [{"amount": "900.00", "planned_on": "2021-01-15"}], "reason": "核减",
    }  # fmt: skip
    made = await office.post("rita", "/c1/grants", body)
    await registry.parts.pool.execute("UPDATE staff SET disabled = true, version = version WHERE staff = 'rita'")
    assert (await office.sign("c1", made["proposal"], "bob", status=403))["reason"] == "forbidden"


async def test_the_office_does_not_act_on_its_own_channel(office: Office) -> None:
    body = {
        "lines": [{"line": 1, "amount": "900"}, {"line": 2, "amount": "0"}],
        "instalments": [{"amount": "900.00", "planned_on": "2021-01-15"}], "reason": "核减",
    }  # fmt: skip
    assert (await office.post("kin", "/c1/grants", body, 403))["reason"] == "conflict_of_interest"
    made = await office.post("ann", "/c1/grants", body)
    assert (await office.sign("c1", made["proposal"], "kin", status=403))["reason"] == "conflict_of_interest"
    assert (await office.post("kin", "/c2/grants", body))["state"] == "open"


async def test_an_administrator_with_an_interest_does_not_open_projects(registry: Registry) -> None:
    office = await managed_round(registry, rules())
    await registry.add_staff("cousin", "administrator", channel="guandu")
    assert (await office.post("cousin", "", OPENING, 403))["reason"] == "conflict_of_interest"
    assert (await office.call("ann", "GET", "")).json()["items"] == []


async def test_a_foreign_project_does_not_exist_for_a_unit(office: Office) -> None:
    await office.grant("c2")
    assert [item["candidate"] for item in (await office.call("unit1", "GET", "")).json()["items"]] == ["c1"]
    assert [item["candidate"] for item in (await office.call("officer-guandu", "GET", "")).json()["items"]] == ["c2"]
    assert len((await office.call("audit", "GET", "")).json()["items"]) == 2
    for actor in ("unit1", "officer-wuhua"):
        answer = await office.call(actor, "GET", "/c2")
        assert (answer.status_code, answer.json()["reason"]) == (404, "unknown_project")
    booking = office.booking("nothing", "1")
    assert (await office.post("unit1", "/c2/bookings", booking, 404))["reason"] == "unknown_project"
    assert (await office.post("unit1", "/c9/bookings", booking, 404))["reason"] == "unknown_project"
    assert (await office.post("audit", "/c2/bookings", booking, 403))["reason"] == "forbidden"
    assert (await office.post("officer-guandu", "/c2/bookings", booking, 403))["reason"] == "forbidden"
    assert (await office.post("", "/c2/bookings", booking, 401))["reason"] == "bad_token"
    voucher = await office.upload("unit2", "one", "c2")
    assert (await office.registry.call("GET", f"/attachments/{voucher}", "unit1")).status_code == 404
    assert (await office.registry.call("GET", f"/attachments/{voucher}", "unit2")).status_code == 200


async def test_projects_are_listed_page_by_page(office: Office) -> None:
    first = (await office.call("ann", "GET", "?limit=1")).json()
    assert ([item["candidate"] for item in first["items"]], first["next"]) == (["c1"], "c1")
    second = (await office.call("ann", "GET", f"?limit=1&after={first['next']}")).json()
    assert ([item["candidate"] for item in second["items"]], second["next"]) == (["c2"], None)
    assert (await office.call("ann", "GET", "?limit=0")).json()["reason"] == "bad_filter"
    unknown = await office.registry.call("GET", "/rounds/nowhere/projects", "ann")
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "unknown_round")


async def test_instalments_are_paid_once_and_corrected_by_reversal(office: Office) -> None:
    await office.grant()
    entry = {
        "payment": str(uuid4()), "kind": "instalment", "instalment": 1, "amount": "1500.50", "paid_on": "2021-01-20",
        "document_number": "昆财〔2021〕3号",
    }  # fmt: skip
    await office.post("ann", "/c1/payments", entry)
    await office.post("ann", "/c1/payments", entry, 200)
    assert (await office.project())["paid"] == "1500.50"
    assert (await office.post("ann", "/c1/payments", entry | {"amount": "1"}, 409))["reason"] == "id_reused"
    again = entry | {"payment": str(uuid4()), "amount": "0.01"}
    assert (await office.post("ann", "/c1/payments", again, 422))["reason"] == "bad_payment"
    assert (await office.post("unit1", "/c1/payments", again, 403))["reason"] == "forbidden"
    early = again | {"kind": "return", "instalment": None}
    assert (await office.post("ann", "/c1/payments", early, 422))["reason"] == "bad_payment"
    reversal = {"payment": str(uuid4()), "reason": "户名有误"}
    path = f"/c1/payments/{entry['payment']}/reversals"
    await office.post("bob", path, reversal)
    await office.post("bob", path, reversal, 200)
    twice = {"payment": str(uuid4()), "reason": "户名有误"}
    assert (await office.post("bob", path, twice, 409))["reason"] == "already_reversed"
    assert (await office.post("bob", f"/c1/payments/{uuid4()}/reversals", twice, 404))["reason"] == "unknown_payment"
    assert (await office.project())["paid"] == "0.00"
    await office.post("ann", "/c1/payments", entry | {"payment": str(uuid4())})
    assert (await office.project())["paid"] == "1500.50"


async def test_an_inspection_is_followed_until_its_findings_are_closed(office: Office, registry: Registry) -> None:
    await office.grant()
    today = local_day(registry)
    plan = {"planned_on": today, "topic": "现场检查"}
    inspection = (await office.post("rita", "/c1/inspections", plan))["inspection"]
    past = {"planned_on": "2020-01-01", "topic": "现场检查"}
    assert (await office.post("rita", "/c1/inspections", past, 422))["reason"] == "bad_inspection"
    path = f"/c1/inspections/{inspection}/reports"
    finding = {"text": "台账不全", "remedy": "补齐台账", "due_on": today}
    body = {"outcome": "findings", "held_on": today, "summary": "总体有序", "findings": [finding]}
    assert (await office.post("rita", path, body | {"findings": []}, 422))["reason"] == "bad_inspection"
    late = body | {"findings": [finding | {"due_on": "2020-01-01"}]}
    assert (await office.post("rita", path, late, 422))["reason"] == "bad_inspection"
    project = await office.post("rita", path, body)
    assert (await office.post("rita", path, body, 409))["reason"] == "already_decided"
    found = project["inspections"][0]["findings"][0]
    assert (found["state"], found["days_left"], found["overdue"]) == ("open", 0, False)
    registry.pass_time(2 * 86400)
    found = (await office.project())["inspections"][0]["findings"][0]
    assert (found["days_left"], found["overdue"]) == (-2, True)
    steps = f"/c1/findings/{found['finding']}/steps"
    assert (await office.post("rita", steps, {"step": "remedied", "text": "已补"}, 403))["reason"] == "forbidden"
    assert (await office.post("unit1", steps, {"step": "closed", "text": "已补"}, 403))["reason"] == "forbidden"
    evidence = await office.upload("unit1", "ledger", purpose="evidence")
    remedied = {"step": "remedied", "text": "已补", "evidence": evidence}
    assert (await office.post("unit1", steps, remedied | {"evidence": "other"}, 422))["reason"] == "voucher_missing"
    assert (await office.post("unit1", steps, remedied))["state"] == "remedied"
    assert (await office.post("rita", steps, {"step": "reopened", "text": "不全"}, 422))["reason"] == "bad_inspection"
    again = local_day(registry)
    reopened = await office.post("rita", steps, {"step": "reopened", "text": "不全", "due_on": again})
    assert (reopened["state"], reopened["due_on"]) == ("open", again)
    await office.post("unit1", steps, remedied)
    assert (await office.post("rita", steps, {"step": "closed", "text": "已核"}))["state"] == "closed"
    nowhere = f"/c2/findings/{found['finding']}/steps"
    assert (await office.post("rita", nowhere, {"step": "closed", "text": "x"}, 404))["reason"] == "unknown_inspection"


async def test_the_public_page_names_no_person(office: Office, registry: Registry) -> None:
    await office.grant()
    voucher = await office.upload("unit1", "receipt")
    await office.post("unit1", "/c1/bookings", office.booking(voucher, "1100.00", purpose="给常宁的劳务费"))
    page = await registry.http.get("/projects/small/c1", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert all(text in page.text for text in ("楼栋十人组1", "第1社区居委会", "1,500.50", "1,100.00", "超支", "实施中"))
    assert not any(text in page.text for text in ("常宁", "unit1", "ann", "票据", voucher))
    english = (await registry.http.get("/projects/small/c1?lang=en")).text
    assert all(text in english for text in ("Under way", "Overspent", "Grant"))
    listed = (await registry.http.get("/projects/small?lang=zh")).text
    assert all(text in listed for text in ("楼栋十人组1", "楼栋十人组2"))
    assert (await registry.http.get("/projects/small/c3", headers={"accept": "text/html"})).status_code == 404
    assert (await registry.http.get("/projects/nowhere")).status_code == 404


async def test_every_act_is_in_the_log(office: Office, registry: Registry) -> None:
    await office.grant()
    rows = await registry.parts.pool.fetch("SELECT action, actor FROM log_entries WHERE kind = 'project' ORDER BY id")
    assert [(row["action"], row["actor"]) for row in rows] == [
        ("project.opened", "ann"), ("project.opened", "ann"), ("project.grant_proposed", "ann"),
        ("project.grant_effective", "bob"), ("project.grant_signed", "bob"),
    ]  # fmt: skip


async def test_no_new_money_goes_to_a_project_whose_list_was_retracted(registry: Registry, office: Office) -> None:
    """c1 has its grant and waits for the money, c2's grant waits for its second signature."""
    await office.grant("c1", "600", "400")
    lines = [{"line": 1, "amount": "600"}, {"line": 2, "amount": "400"}]
    grant = {"lines": lines, "instalments": [{"amount": "1000", "planned_on": "2021-01-15"}], "reason": "按预算"}
    waiting = await office.post("ann", "/c2/grants", grant)
    assert (await office.project("c2"))["selected"] is True
    retraction = {"text": "名单有误，现予撤回。"}
    made = await registry.call("POST", "/rounds/small/lists/1/retraction", "ann", json=retraction)
    signed = f"/rounds/small/lists/proposals/{made.json()['proposal']}/confirmation"
    assert (await registry.call("POST", signed, "bob")).status_code == 200

    refused = await office.sign("c2", waiting["proposal"], "bob", status=409)
    assert refused["reason"] == "not_selected"
    pay = {
        "payment": str(uuid4()), "kind": "instalment", "instalment": 1, "amount": "1000", "paid_on": "2021-01-20",
        "document_number": "昆财〔2021〕3号",
    }  # fmt: skip
    assert (await office.post("ann", "/c1/payments", pay, 409))["reason"] == "not_selected"
    shown = await office.project("c2")
    assert (shown["selected"], "propose_grant" in shown["actions"]) == (False, False)
    assert "pay" not in (await office.project("c1"))["actions"]
    assert "不再批准和拨付资金" in (await registry.http.get("/projects/small/c2")).text
    assert "不再批准和拨付资金" in await page(registry, "/office/projects/small/c2", "ann")
    refusal = {"decision": "refuse", "reason": "名单已撤回"}
    await office.post("bob", f"/c2/proposals/{waiting['proposal']}/decisions", refusal)
    assert TaskKind.PROJECT_GRANT not in await tasks_of(registry, "ann")
