"""Joint applications: consent of every partner by link or stamped scan, and a social organisation's six proofs."""

from __future__ import annotations

from typing import Any

import httpx

from tests.integration.registry.application_steps import (
    announce,
    applicant_with_draft,
    attach,
    logged,
    partner,
    submit,
    submitted,
)
from tests.integration.registry.conftest import Registry
from tests.support.registry_people import credit_code

PROOFS = (
    "registration_certificate", "annual_inspection", "financial_statements", "staff_contracts", "office_proof",
    "funds_commitment",
)  # fmt: skip


async def ask(registry: Registry, actor: str, application: str, seed: int) -> httpx.Response:
    body = {"partner": credit_code(seed)}
    return await registry.call("POST", f"/applications/{application}/consents", actor, json=body)


async def token_of(registry: Registry, actor: str, application: str, seed: int) -> str:
    asked = await ask(registry, actor, application, seed)
    assert asked.status_code == 201, asked.text
    address, _, token = asked.json()["link"].partition("#")
    assert address == "http://test/apply/consent"
    return str(token)


async def answer(registry: Registry, token: str, **body: Any) -> httpx.Response:
    body = {"agree": True, "name": "赵教授", "position": "科研处长"} | body
    return await registry.call("POST", "/consents/answers", "", json={"token": token, **body})


async def test_a_joint_application_waits_for_every_partner(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry, partners=[partner(8), partner(9, "research_institute")])
    identifier = draft["application"]
    refused = await submit(registry, applicant, identifier)
    assert (refused.status_code, refused.json()["reason"]) == (422, "consent_missing")
    assert "合作单位8, 合作单位9" in refused.json()["detail"]
    token = await token_of(registry, applicant, identifier, 8)
    asked = (await registry.call("POST", "/consents", "", json={"token": token})).json()
    assert (asked["lead"], asked["partner"], asked["title"]) == ("第1社区居委会", "合作单位8", "楼院议事厅")
    assert asked["actions"] == ["answer"]
    given = await answer(registry, token)
    assert (given.status_code, given.json()["answer"]) == (201, "given")
    one_left = await submit(registry, applicant, identifier)
    assert [each["partner"] for each in one_left.json()["problems"]] == ["合作单位9"]
    scan = await attach(registry, applicant, identifier, "consent", partner=credit_code(9))
    assert scan.status_code == 201, scan.text
    done = await submitted(registry, applicant, identifier)
    content = await registry.parts.pool.fetchval("SELECT content::jsonb FROM application_versions")
    assert [(each["how"], each["given_by"]) for each in content["consents"]] == [
        ("link", "科研处长 赵教授"),
        ("scan", ""),
    ]
    assert [each["answer"] for each in done["consents"]] == ["given"]
    assert "application.consent_given" in await logged(registry, identifier)


async def test_only_the_newest_link_is_good_and_only_once(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry, partners=[partner(8)])
    identifier = draft["application"]
    first, second = [await token_of(registry, applicant, identifier, 8) for _ in range(2)]
    replaced = await answer(registry, first)
    assert (replaced.status_code, replaced.json()["reason"]) == (410, "consent_expired")
    nameless = await answer(registry, second, name=" ")
    assert nameless.status_code == 422
    declined = await answer(registry, second, agree=False)
    assert declined.json()["answer"] == "declined"
    twice = await answer(registry, second)
    assert (twice.status_code, twice.json()["reason"]) == (409, "consent_answered")
    assert (await submit(registry, applicant, identifier)).json()["reason"] == "consent_missing"
    third = await token_of(registry, applicant, identifier, 8)
    await answer(registry, third)
    await submitted(registry, applicant, identifier)
    stored = await registry.parts.pool.fetch("SELECT * FROM application_consents")
    assert all(token not in str([dict(row) for row in stored]) for token in (first, second, third))


async def test_a_link_expires_and_a_made_up_one_asks_for_nothing(registry: Registry) -> None:
    await announce(registry, closes_in_s=86_400 * 30)
    applicant, draft = await applicant_with_draft(registry, partners=[partner(8)])
    token = await token_of(registry, applicant, draft["application"], 8)
    registry.pass_time(86_400 * 14 - 5)
    assert (await registry.call("POST", "/consents", "", json={"token": token})).status_code == 200
    registry.pass_time(10)
    late = await answer(registry, token)
    assert (late.status_code, late.json()["reason"]) == (410, "consent_expired")
    for crooked in ("x" * 43, "", "\ud800", "\0"):
        body = '{"token": "' + crooked.encode("unicode_escape").decode().replace("\\x", "\\u00") + '"}'
        unknown = await registry.call(
            "POST", "/consents", "", content=body, headers={"content-type": "application/json"}
        )
        assert unknown.status_code in (400, 404), unknown.text


async def test_consent_is_asked_of_partners_of_the_form_only(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry, partners=[partner(8)])
    refused = await ask(registry, applicant, draft["application"], 7)
    assert (refused.status_code, refused.json()["reason"]) == (422, "unknown_partner")
    scan = await attach(registry, applicant, draft["application"], "consent", partner=credit_code(7))
    assert (scan.status_code, scan.json()["reason"]) == (422, "unknown_partner")


async def test_a_social_organisation_hands_in_six_proofs(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry, partners=[partner(8, "social_organisation")])
    identifier = draft["application"]
    await answer(registry, await token_of(registry, applicant, identifier, 8))
    for proof in PROOFS[:-1]:
        assert (await attach(registry, applicant, identifier, proof)).status_code == 201
    refused = await submit(registry, applicant, identifier)
    assert (refused.status_code, refused.json()["reason"]) == (422, "proofs_missing")
    [problem] = refused.json()["problems"]
    assert (problem["purpose"], problem["proof"]) == ("funds_commitment", "按规定使用资金承诺书")
    assert problem["text"] == "合作单位8 还缺：按规定使用资金承诺书"
    last = (await attach(registry, applicant, identifier, PROOFS[-1])).json()
    await registry.call("DELETE", f"/applications/{identifier}/attachments/{last['attachment']}", applicant)
    assert (await submit(registry, applicant, identifier)).json()["reason"] == "proofs_missing"
    await attach(registry, applicant, identifier, PROOFS[-1])
    await submitted(registry, applicant, identifier)


async def test_proofs_of_two_organisations_are_kept_apart(registry: Registry) -> None:
    await announce(registry)
    both = [partner(8, "social_organisation"), partner(9, "social_organisation")]
    applicant, draft = await applicant_with_draft(registry, partners=both)
    nobodys = await attach(registry, applicant, draft["application"], PROOFS[0])
    assert (nobodys.status_code, nobodys.json()["reason"]) == (422, "unknown_partner")
    await attach(registry, applicant, draft["application"], PROOFS[0], partner=credit_code(9))
    problems = (await registry.call("GET", f"/applications/{draft['application']}/check", applicant)).json()["problems"]
    lacking = [each["partner"] for each in problems if each.get("purpose") == PROOFS[0]]
    assert lacking == ["合作单位8"]


async def test_crooked_partners_are_told(registry: Registry) -> None:
    await announce(registry)
    bad = [partner(8), partner(8), partner(1), partner(9, credit_code="91530100000000000X"), partner(7, name="")]
    applicant, draft = await applicant_with_draft(registry, partners=bad)
    problems = (await registry.call("GET", f"/applications/{draft['application']}/check", applicant)).json()["problems"]
    told = {(each["field"], each["word"]) for each in problems if each["word"] != "consent_missing"}
    assert told == {
        ("partners[1].credit_code", "partner_twice"),
        ("partners[2].credit_code", "partner_is_lead"),
        ("partners[3].credit_code", "bad_credit_code"),
        ("partners[4].name", "missing"),
    }
