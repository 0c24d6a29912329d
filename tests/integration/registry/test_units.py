"""Units register themselves, their district decides, and what it approved changes only with its approval."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from altcha.v2 import Challenge, Payload, solve_challenge

from tests.integration.registry.conftest import Registry
from tests.support.registry_people import add_applicant, add_channel, add_officer, add_unit, credit_code, unit_body


async def _register(registry: Registry, address: str = "198.51.100.7", **body: Any) -> Any:
    headers = {"x-forwarded-for": address}
    return await registry.call("POST", "/units", "", json=unit_body(**body), headers=headers)


async def _decide(registry: Registry, actor: str, unit: str, version: int, decision: str, reason: str = "") -> Any:
    body = {"decision": decision, "version": version, "reason": reason}
    return await registry.call("POST", f"/units/{unit}/decisions", actor, json=body)


async def test_a_unit_registers_itself_and_its_district_gives_it_an_account(registry: Registry) -> None:
    await add_channel(registry)
    officer = await add_officer(registry)
    made = (await _register(registry)).json()
    assert (made["state"], made["version"]) == ("pending", 1)
    seen = (await registry.call("GET", f"/units/{made['unit']}", officer)).json()
    assert seen["actions"] == ["decide"]
    decided = await _decide(registry, officer, made["unit"], 1, "approved")
    assert decided.status_code == 201, decided.text
    answer = decided.json()
    assert (answer["state"], answer["actions"]) == ("approved", ["invite"])
    page, _, token = answer["link"].partition("#")
    assert page == "http://test/sign-in/invitation"
    body = {"token": token, "username": "li.yi", "password": "a fine password"}
    accepted = await registry.call("POST", "/staff/invitations/accept", "", json=body)
    assert accepted.status_code == 201, accepted.text
    assert (accepted.json()["roles"], accepted.json()["unit"]) == (["applicant"], made["unit"])
    own = await registry.call("GET", f"/units/{made['unit']}", "li.yi")
    assert own.json()["actions"] == ["change"]


async def test_a_code_is_registered_once_and_the_refusal_tells_nothing_else(registry: Registry) -> None:
    await add_channel(registry)
    answers = await asyncio.gather(*(_register(registry, f"198.51.100.{k}") for k in range(1, 5)))
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409]
    refused = next(each.json() for each in answers if each.status_code == 409)
    assert refused["reason"] == "unit_registered"
    assert "社区" not in str(refused)
    assert "wuhua" not in str(refused)


async def test_a_refused_registration_tells_why_and_may_come_anew(registry: Registry) -> None:
    await add_channel(registry)
    officer = await add_officer(registry)
    unit = (await _register(registry)).json()["unit"]
    silent = await _decide(registry, officer, unit, 1, "refused")
    assert (silent.status_code, silent.json()["reason"]) == (422, "reason_missing")
    refused = (await _decide(registry, officer, unit, 1, "refused", "证件照片与登记号不符")).json()
    assert refused["decisions"][0]["reason"] == "证件照片与登记号不符"
    again = (await _register(registry, name="改正后的社区")).json()
    assert (again["unit"], again["state"]) == (unit, "pending")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"credit_code": "91530100M000100Y43"}, "GB 32100"),
        ({"kind": "king"}, "'king' is unknown"),
        ({"name": "  "}, "name must have"),
        ({"contact": {"name": "王", "email": "nobody"}}, "contact.email"),
        ({"facts": {**unit_body()["facts"], "registered_on": "2999-01-01"}}, "registered_on"),
        ({"facts": {**unit_body()["facts"], "last_inspection_year": 1990}}, "last_inspection_year"),
        ({"facts": {**unit_body()["facts"], "legal_representative": "李\n一"}}, "facts.legal_representative"),
    ],
)
async def test_a_bad_registration_says_what_is_wrong(registry: Registry, change: dict[str, Any], says: str) -> None:
    await add_channel(registry)
    refused = await _register(registry, **change)
    assert (refused.status_code, refused.json()["reason"]) == (422, "bad_unit")
    assert says in refused.json()["detail"]


async def test_a_unit_needs_an_open_channel(registry: Registry) -> None:
    await add_channel(registry)
    assert (await registry.call("POST", "/channels/wuhua/close")).json()["closed_at"]
    for channel in ("wuhua", "nowhere"):
        refused = await _register(registry, channel=channel)
        assert (refused.status_code, refused.json()["reason"]) == (404, "unknown_channel")


async def test_an_address_over_its_allowance_works_for_each_registration(registry: Registry) -> None:
    await add_channel(registry)
    for seed in range(1, 6):
        assert (await _register(registry, seed=seed)).status_code == 201
    asked = await _register(registry, seed=6)
    assert (asked.status_code, asked.json()["reason"]) == (428, "challenge_required")
    challenge = Challenge.from_dict(asked.json()["challenge"])
    solution = await asyncio.to_thread(solve_challenge, challenge)
    assert solution is not None
    solved = base64.b64encode(json.dumps(Payload(challenge, solution).to_dict()).encode()).decode()
    assert (await _register(registry, seed=6, altcha=solved)).status_code == 201
    used_twice = await _register(registry, seed=7, altcha=solved)
    assert (used_twice.status_code, used_twice.json()["reason"]) == (428, "challenge_required")
    assert (await _register(registry, "203.0.113.80", seed=8)).status_code == 201


async def test_what_the_district_approved_changes_with_its_approval_only(registry: Registry) -> None:
    unit = await add_unit(registry)
    officer, applicant = await add_officer(registry), await add_applicant(registry, unit)
    body = {"version": 2, "name": "新名称社区", "contact": {"name": "赵三", "email": "zhao@example.org"}}
    asked = (await registry.call("PATCH", f"/units/{unit}", applicant, json=body)).json()
    assert (asked["name"], asked["contact"]["name"]) == ("第1社区居委会", "赵三")
    assert asked["change"]["wanted"] == {"name": "新名称社区"}
    second = await registry.call("PATCH", f"/units/{unit}", applicant, json={"version": 3, "kind": "village"})
    assert (second.status_code, second.json()["reason"]) == (409, "change_pending")
    listed = (await registry.call("GET", "/units", officer)).json()["items"]
    assert [each["change_pending"] for each in listed] == [True]
    decided = (await _decide(registry, officer, unit, 3, "approved")).json()
    assert (decided["name"], decided["change"], "link" in decided) == ("新名称社区", None, False)
    again = await _decide(registry, officer, unit, 4, "approved")
    assert (again.status_code, again.json()["reason"]) == (409, "nothing_to_decide")


async def test_a_changed_code_must_still_be_free_when_it_is_approved(registry: Registry) -> None:
    unit = await add_unit(registry)
    applicant = await add_applicant(registry, unit)
    body = {"version": 2, "credit_code": credit_code(2).lower()}
    assert (await registry.call("PATCH", f"/units/{unit}", applicant, json=body)).status_code == 200
    await add_unit(registry, 2)
    refused = await _decide(registry, "platform", unit, 3, "approved")
    assert (refused.status_code, refused.json()["reason"]) == (409, "unit_registered")
    assert (await registry.call("GET", f"/units/{unit}")).json()["change"] is not None


async def test_who_read_an_older_version_decides_and_changes_nothing(registry: Registry) -> None:
    unit = await add_unit(registry)
    applicant = await add_applicant(registry, unit)
    for actor, method, path, body in (
        (applicant, "PATCH", f"/units/{unit}", {"version": 1, "name": "新"}),
        ("platform", "POST", f"/units/{unit}/decisions", {"version": 1, "decision": "closed", "reason": "合并"}),
    ):
        stale = await registry.call(method, path, actor, json=body)
        assert (stale.status_code, stale.json()["reason"], stale.json()["version"]) == (409, "stale_version", 2)


async def test_nobody_decides_on_their_own_unit_or_for_the_office_on_their_own_channel(registry: Registry) -> None:
    await add_channel(registry)
    unit = (await _register(registry)).json()["unit"]
    await registry.add_staff("own.unit", "administrator", unit=unit)
    await registry.add_staff("own.channel", "administrator", channel="wuhua")
    await registry.add_staff("officer.of.unit", "channel_officer", channel="wuhua", unit=unit)
    for actor in ("own.unit", "own.channel", "officer.of.unit"):
        refused = await _decide(registry, actor, unit, 1, "approved")
        assert (refused.status_code, refused.json()["reason"]) == (403, "conflict_of_interest"), actor


async def test_another_districts_officer_and_another_units_people_see_no_unit(registry: Registry) -> None:
    unit, other = await add_unit(registry), await add_unit(registry, 2, "panlong")
    officer = await add_officer(registry, "panlong")
    applicant = await add_applicant(registry, other)
    for actor in (officer, applicant):
        assert (await registry.call("GET", f"/units/{unit}", actor)).status_code == 404
    assert (await _decide(registry, officer, unit, 2, "approved")).status_code == 404
    assert [each["unit"] for each in (await registry.call("GET", "/units", officer)).json()["items"]] == [other]
    asked = await registry.call("GET", "/units?channel=wuhua", officer)
    assert [each["channel"] for each in asked.json()["items"]] == ["panlong"]


async def test_units_are_listed_by_key(registry: Registry) -> None:
    made = sorted([await add_unit(registry, seed) for seed in range(1, 4)])
    first = (await registry.call("GET", "/units?limit=2")).json()
    second = (await registry.call("GET", f"/units?limit=2&after={first['next']}")).json()
    assert [each["unit"] for each in first["items"] + second["items"]] == made
    assert second["next"] is None
    assert (await registry.call("GET", "/units?limit=0")).json()["reason"] == "bad_filter"
    assert (await registry.call("GET", "/units?state=pending")).json()["items"] == []


async def test_a_closed_unit_stays_and_only_administrators_close(registry: Registry) -> None:
    unit = await add_unit(registry)
    officer = await add_officer(registry)
    assert (await _decide(registry, officer, unit, 2, "closed", "合并")).status_code == 403
    closed = await _decide(registry, "platform", unit, 2, "closed", "合并")
    assert (closed.json()["state"], closed.json()["decisions"][0]["decision"]) == ("closed", "closed")


async def test_reading_a_units_people_is_logged(registry: Registry) -> None:
    unit = await add_unit(registry)
    officer = await add_officer(registry)
    await registry.call("GET", f"/units/{unit}", officer)
    rows = await registry.parts.pool.fetch(
        "SELECT actor, action, personal FROM log_entries WHERE kind = 'unit' AND object = $1 ORDER BY id", unit
    )
    assert [tuple(row) for row in rows] == [
        ("", "unit.registered", True), ("platform", "unit.approved", False), (officer, "unit.read", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"channel": "a b", "name": "x", "kind": "district"}, "bad_channel"),
        ({"channel": "a", "name": "", "kind": "district"}, "bad_channel"),
        ({"channel": "a", "name": "x", "kind": "county"}, "bad_channel"),
        ({"channel": "wuhua", "name": "x", "kind": "zone"}, "channel_exists"),
    ],
)
async def test_a_bad_channel_is_refused(registry: Registry, body: dict[str, str], reason: str) -> None:
    await add_channel(registry)
    assert (await registry.call("POST", "/channels", json=body)).json()["reason"] == reason
    assert (await registry.call("POST", "/channels/nowhere/close")).json()["reason"] == "unknown_channel"
    assert [each["channel"] for each in (await registry.call("GET", "/channels", "")).json()["items"]] == ["wuhua"]
