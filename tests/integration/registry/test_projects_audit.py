"""The invariants of projects are silent after a whole life, and each speaks when its rule is broken."""

from __future__ import annotations

from uuid import uuid4

from services.registry.grants.audit import INVARIANTS
from tests.integration.registry.conftest import Registry, simple_files
from tests.support.damage import break_each
from tests.support.project_rounds import PROJECT_DAMAGE, SELECTION, Office, open_office


async def _whole_life(office: Office) -> None:
    """c1: granted, paid, booked, corrected, changed, accepted, settled."""
    await office.grant()
    pay = {
        "payment": str(uuid4()), "kind": "instalment", "instalment": 1, "amount": "1500.50", "paid_on": "2021-01-20",
        "document_number": "昆财〔2021〕3号",
    }  # fmt: skip
    await office.post("ann", "/c1/payments", pay)
    wrong = office.booking(await office.upload("unit1", "typo"), "100.00")
    await office.post("unit1", "/c1/bookings", wrong)
    storno = {"booking": str(uuid4()), "reason": "金额录错"}
    await office.post("unit1", f"/c1/bookings/{wrong['booking']}/reversals", storno)
    right = office.booking(wrong["voucher"], "1100.00")
    await office.post("unit1", "/c1/bookings", right)
    await office.post("rita", f"/c1/bookings/{right['booking']}/checks", {"outcome": "confirmed"})
    move = {"moves": [{"from_line": 2, "to_line": 1, "amount": "100"}], "reason": "调剂"}
    change = await office.post("unit1", "/c1/budget-changes", move)
    await office.sign("c1", change["proposal"], "ann", "rita")
    evidence = await office.upload("unit1", "evidence", purpose="evidence")
    targets = [{"target": each, "outcome": "met", "evidence": [evidence]} for each in (1, 2)]
    accepted = await office.post("ann", "/c1/acceptances", {"targets": targets, "opinion": "passed", "reason": "合格"})
    await office.sign("c1", accepted["proposal"], "rita")
    settled = await office.post("ann", "/c1/settlements", {"reason": "结算"})
    await office.sign("c1", settled["proposal"], "bob")


async def test_invariants_are_silent_after_a_whole_life_and_speak_when_broken(registry: Registry) -> None:
    rules = simple_files(more=SELECTION)["rules.toml"].replace("choices_max = 3", "choices_max = 2")
    office = await open_office(registry, rules)
    await _whole_life(office)
    assert PROJECT_DAMAGE.keys() == INVARIANTS.keys()
    for name, query in INVARIANTS.items():
        assert await registry.parts.pool.fetch(query) == [], name
    await break_each(registry.database.admin_url, PROJECT_DAMAGE, INVARIANTS)
