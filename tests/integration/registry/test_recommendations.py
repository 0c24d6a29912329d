"""Recommendation: ranked within quota, never beyond it by two at once, exceptions named and signed by two."""

from __future__ import annotations

import asyncio
import io

import pypdf
from openpyxl import load_workbook

from tests.integration.registry.application_steps import begin, submitted
from tests.integration.registry.call_steps import CALL, HOUR_S, announced, applied, post, recommended, stage_of
from tests.integration.registry.conftest import Registry
from tests.support.registry_people import add_officer
from tests.support.waiting import wait_until

PATH = f"/calls/{CALL}/channels/wuhua/recommendations"


async def test_an_officer_ranks_within_the_quota_and_sends(registry: Registry) -> None:
    await announced(registry)
    ids = [each for each, _ in await applied(registry, 3)]
    officer = await add_officer(registry)
    full = await registry.call("PUT", PATH, officer, json={"ranked": ids, "version": 0})
    assert (full.status_code, full.json()["reason"]) == (409, "quota_full")
    body = {"ranked": [ids[1], ids[0]], "not_recommended": {ids[2]: "内容相近"}, "version": 0}
    saved = await registry.call("PUT", PATH, officer, json=body)
    assert (saved.status_code, saved.json()["version"], saved.json()["places"]) == (200, 1, 2)
    early = await post(registry, f"{PATH}/send", officer, version=1)
    assert (early.status_code, early.json()["reason"]) == (409, "not_open")
    registry.pass_time(HOUR_S)
    sent = await post(registry, f"{PATH}/send", officer, version=1)
    assert (sent.status_code, sent.json()["actions"]) == (200, [])
    assert [await stage_of(registry, each) for each in ids] == ["recommended", "recommended", "not_recommended"]
    again = await registry.call("PUT", PATH, officer, json={**body, "version": 2})
    assert again.json()["reason"] == "already_decided"
    seen = (await registry.call("GET", f"/calls/{CALL}/recommendations", "rev1")).json()
    by_channel = {each["channel"]: each for each in seen["channels"]}
    assert by_channel["wuhua"] | {"sent_at": None} == {
        "channel": "wuhua", "name": "五华区", "kind": "district", "kind_name": "县（市）区", "applications": 3,
        "ranked": 2, "places": 2, "sent_at": None, "left_out": 1,
    }  # fmt: skip
    assert [(each["application"], each["reason"]) for each in seen["left_out"]] == [(ids[2], "内容相近")]
    first = (await registry.call("GET", f"/calls/{CALL}/recommendations?limit=1", "rev1")).json()
    assert (len(first["channels"]), first["next"]) == (1, first["channels"][0]["channel"])
    rest = (await registry.call("GET", f"/calls/{CALL}/recommendations?after={first['next']}", "rev1")).json()
    assert first["channels"] + rest["channels"] == seen["channels"]
    assert (seen["next"], rest["next"]) == (None, None)


async def test_two_officers_at_once_cannot_exceed_the_quota(registry: Registry) -> None:
    await announced(registry)
    ids = [each for each, _ in await applied(registry, 4)]
    officers = [await add_officer(registry, "wuhua", name) for name in ("one", "two")]
    bodies = [{"ranked": ids[:2], "version": 0}, {"ranked": ids[2:], "version": 0}]
    answers = await asyncio.gather(
        *(registry.call("PUT", PATH, who, json=body) for who, body in zip(officers, bodies, strict=True))
    )
    assert sorted(each.status_code for each in answers) == [200, 409]
    [late] = [each.json() for each in answers if each.status_code == 409]
    assert (late["reason"], late["version"]) == ("stale_version", 1)
    both = await registry.call("PUT", PATH, "two", json={"ranked": ids, "version": 1})
    assert both.json()["reason"] == "quota_full"
    kept = (await registry.call("GET", PATH, "one")).json()
    assert len(kept["ranked"]) == 2


async def test_an_exemption_has_a_reason_and_two_signatures(registry: Registry) -> None:
    await announced(registry, quota=1)
    ids = [each for each, _ in await applied(registry, 2)]
    officer = await add_officer(registry)
    body = {"channel": "wuhua", "places": 1, "reason": "试点地区"}
    foreign = await add_officer(registry, "city")
    assert (await post(registry, f"/calls/{CALL}/exemptions", foreign, **body)).json()["reason"] == "unknown_channel"
    made = await post(registry, f"/calls/{CALL}/exemptions", "admin1", **body)
    assert made.status_code == 201, made.text
    nameless = await post(registry, f"/calls/{CALL}/exemptions", "admin1", **{**body, "reason": " "})
    assert nameless.json()["reason"] == "reason_missing"
    still = await registry.call("PUT", PATH, officer, json={"ranked": ids, "version": 0})
    assert still.json()["reason"] == "quota_full"
    confirm = f"/calls/{CALL}/exemptions/{made.json()['exemption']}/confirm"
    assert (await post(registry, confirm, "admin1")).json()["reason"] == "same_person"
    assert (await post(registry, confirm, "admin2")).status_code == 200
    assert (await registry.call("PUT", PATH, officer, json={"ranked": ids, "version": 0})).status_code == 200


async def test_an_officer_asks_for_places_until_recommendation_closes(registry: Registry) -> None:
    """One administrator's signature is then enough, being the second person's; afterwards nobody is offered to sign."""
    await announced(registry, quota=1)
    officer = await add_officer(registry)
    asked = {"channel": "wuhua", "places": 1, "reason": "两个项目互为前提"}
    made = await post(registry, f"/calls/{CALL}/exemptions", officer, **asked)
    assert (made.status_code, made.json()["actions"]) == (201, [])
    confirm = f"/calls/{CALL}/exemptions/{made.json()['exemption']}/confirm"
    assert (await post(registry, confirm, officer)).status_code == 403
    registry.pass_time(2 * HOUR_S)
    [shown] = (await registry.call("GET", f"/calls/{CALL}/recommendations", "admin1")).json()["exemptions"]
    assert shown["actions"] == []
    for late in (
        await post(registry, confirm, "admin1"),
        await post(registry, f"/calls/{CALL}/exemptions", officer, **asked),
    ):
        assert (late.status_code, late.json()["reason"]) == (403, "deadline_passed")


async def test_a_foreign_channel_is_as_if_it_were_not_there(registry: Registry) -> None:
    await announced(registry)
    await applied(registry, 1)
    other = await add_officer(registry, "city")
    assert (await registry.call("GET", PATH, other)).status_code == 404
    assert (await registry.call("PUT", PATH, other, json={"ranked": [], "version": 0})).status_code == 404
    assert (await registry.call("PUT", PATH, "admin1", json={"ranked": [], "version": 0})).status_code == 403


async def test_nothing_is_sent_while_an_application_is_undecided_or_the_window_is_over(registry: Registry) -> None:
    await announced(registry)
    ids = [each for each, _ in await applied(registry, 2)]
    officer = await add_officer(registry)
    await registry.call("PUT", PATH, officer, json={"ranked": ids[:1], "version": 0})
    registry.pass_time(HOUR_S)
    open_ = await post(registry, f"{PATH}/send", officer, version=1)
    assert (open_.json()["reason"], open_.json()["applications"]) == ("bad_recommendation", ids[1:])
    registry.pass_time(HOUR_S)
    late = await post(registry, f"{PATH}/send", officer, version=1)
    assert (late.status_code, late.json()["reason"]) == (403, "deadline_passed")


async def test_municipal_units_pass_by_themselves_one_each(registry: Registry) -> None:
    await announced(registry)
    [(first, _)] = await applied(registry, 1, "city", 50)
    applicant = await registry.parts.pool.fetchval("SELECT created_by FROM applications WHERE application = $1", first)
    second = (await begin(registry, applicant, CALL))["application"]
    await submitted(registry, applicant, second)
    registry.pass_time(2 * HOUR_S)

    async def reviewed() -> bool:
        return await stage_of(registry, first) == "in_review"

    await wait_until(reviewed, 10, "the first application of the unit is in review")
    assert await stage_of(registry, second) == "not_recommended"


async def test_page_and_table_come_out_ready_to_stamp(registry: Registry) -> None:
    await announced(registry)
    [(application, _)] = await applied(registry, 1)
    await recommended(registry, [application])
    page = await registry.call("GET", f"/applications/{application}/recommendation.pdf", "officer-wuhua")
    assert page.status_code == 200, page.text
    assert "楼院议事厅" in pypdf.PdfReader(io.BytesIO(page.content)).pages[0].extract_text()
    table = await registry.call("GET", f"/calls/{CALL}/channels/wuhua/summary.xlsx", "officer-wuhua")
    [sheet] = load_workbook(io.BytesIO(table.content)).worksheets
    values = {cell.value for row in sheet.iter_rows() for cell in row}
    assert "楼院议事厅" in values
