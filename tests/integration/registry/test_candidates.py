"""Candidates: a call freezes into what a folder would be, numbers by a committed seed, withdrawal in the open."""

from __future__ import annotations

import hashlib
import io
import zipfile

import httpx

from services.registry.audit import INVARIANTS
from services.shared.messages import REGISTRY_ROUNDS, Party, RoundMessage
from tests.integration.registry.application_steps import attach, begin, form, submitted
from tests.integration.registry.call_steps import (
    CALL,
    HOUR_S,
    announced,
    applied,
    decided,
    post,
    recommended,
    stage_of,
)
from tests.integration.registry.conftest import Registry, simple_files
from tests.support import sample_files
from tests.support.registry_people import add_applicant, add_unit
from tests.support.waiting import wait_until

PNG = sample_files.png()


async def reviewed(registry: Registry, count: int = 2, **more: bool) -> list[str]:
    """Accepted applications of a call."""
    await announced(registry, quota=count, **more)
    found = await applied(registry, count)
    ids = [each for each, _ in found]
    await recommended(registry, ids)
    registry.pass_time(HOUR_S)

    async def opened() -> bool:
        return {await stage_of(registry, each) for each in ids} == {"in_review"}

    await wait_until(opened, 10, "reviews are open")
    return ids


async def freeze(registry: Registry, actor: str = "admin1") -> httpx.Response:
    version = (await registry.call("GET", f"/calls/{CALL}", "")).json()["version"]
    return await post(registry, f"/calls/{CALL}/freeze", actor, version=version)


async def test_a_call_freezes_when_everything_is_decided(registry: Registry) -> None:
    ids = await reviewed(registry, rehearsal=True)
    commitment = (await registry.call("GET", f"/calls/{CALL}", "")).json()["number_commitment"]
    early = await freeze(registry)
    assert (early.status_code, early.json()["reason"]) == (409, "undecided")
    await decided(registry, ids[0])
    await decided(registry, ids[1], "not_accepted", "untrue", "数据对不上")
    appealable = await freeze(registry)
    assert (appealable.json()["reason"], "appeals_until" in appealable.json()) == ("undecided", True)
    registry.pass_time(20 * 24 * HOUR_S)
    done = await freeze(registry)
    assert done.status_code == 201, done.text
    facts = done.json()
    assert [card["candidate"] for card in facts["candidates"]] == ids[:1]
    assert (facts["candidates"][0]["summary"], facts["rehearsal"]) == ("居民自己议事，自己定规矩。", True)
    assert hashlib.sha256(facts["number_seed"].encode()).hexdigest() == commitment == facts["number_commitment"]
    assert await stage_of(registry, ids[0]) == "candidate"
    [message] = [each for each in await registry.sent(REGISTRY_ROUNDS, 1) if isinstance(each, RoundMessage)]
    assert (message.rehearsal, message.candidates[0].unit) == (True, "第1社区居委会")
    applied = await registry.parts.pool.fetchval("SELECT unit FROM applications WHERE application = $1", ids[0])
    assert message.candidates[0].parties == [Party("lead", "第1社区居委会", applied)]
    whole = (await registry.call("GET", f"/rounds/{CALL}/applications/{ids[0]}", "rev1")).json()["application"]
    assert [line["amount"] for line in whole["budget"]] == ["12000.00", "800.50"]
    version = (await registry.call("GET", f"/calls/{CALL}", "")).json()["version"]
    body = {"content": "x", "version": version, "reason": "x"}
    edit = await registry.call("PUT", f"/calls/{CALL}/files/rules.toml", "admin1", json=body)
    assert (edit.status_code, edit.json()["reason"]) == (409, "wrong_state")
    for name in ("frozen_calls_are_rounds", "numbers_keep_their_commitment"):
        assert await registry.parts.pool.fetch(INVARIANTS[name]) == []


async def test_a_picture_is_frozen_with_the_card_and_public(registry: Registry) -> None:
    await announced(registry, quota=1)
    applicant = await add_applicant(registry, await add_unit(registry))
    application = (await begin(registry, applicant, CALL, content=form(picture_alt="居民围坐议事")))["application"]
    sent = await attach(registry, applicant, application, "picture", PNG, "议事.png")
    assert sent.status_code == 201, sent.text
    await submitted(registry, applicant, application)
    await recommended(registry, [application])
    registry.pass_time(HOUR_S)

    async def opened() -> bool:
        return await stage_of(registry, application) == "in_review"

    await wait_until(opened, 10, "the review is open")
    await decided(registry, application)
    facts = (await freeze(registry)).json()
    [card] = facts["candidates"]
    assert (card["candidate"], card["image_text"]) == (application, "居民围坐议事")
    told = [each for each in await registry.sent(REGISTRY_ROUNDS, 1) if isinstance(each, RoundMessage)]
    assert (told[-1].candidates[0].image, told[-1].candidates[0].image_text) == (card["image"], "居民围坐议事")
    shown = await registry.http.get(card["image"])
    assert (shown.status_code, shown.content) == (200, PNG)
    assert (shown.headers["content-type"], shown.headers["x-content-type-options"]) == ("image/png", "nosniff")
    assert (await registry.call("GET", f"/rounds/{CALL}/pictures/none", "")).status_code == 404


async def test_withdrawing_while_voting_is_open_takes_two_and_is_public(registry: Registry) -> None:
    for name in ("admin1", "admin2"):
        await registry.add_staff(name, "administrator")
    await registry.add_staff("kin", "administrator", channel="区1")
    await registry.load(simple_files())
    registry.pass_time(3700)
    path = "/rounds/small/candidates/c1"
    nameless = await post(registry, f"{path}/withdraw", "admin1", reason=" ")
    assert (nameless.status_code, nameless.json()["reason"]) == (422, "reason_missing")
    assert (await post(registry, f"{path}/withdraw", "kin", reason="x")).json()["reason"] == "conflict_of_interest"
    made = await post(registry, f"{path}/withdraw", "admin1", reason="单位申请退出")
    assert made.status_code == 201, made.text
    assert (await registry.call("GET", "/rounds/small", "")).json()["version"] == 1
    confirm = f"{path}/withdrawals/{made.json()['withdrawal']}/confirm"
    assert (await post(registry, confirm, "admin1")).json()["reason"] == "same_person"
    done = await post(registry, confirm, "admin2")
    assert done.status_code == 200, done.text
    messages = [each for each in await registry.sent(REGISTRY_ROUNDS, 2) if isinstance(each, RoundMessage)]
    gone = [card.candidate for card in messages[-1].candidates if card.withdrawn_at]
    assert (gone, messages[-1].events[-1].event, messages[-1].events[-1].detail) == (
        ["c1"], "withdrawal", "c1: 单位申请退出",
    )  # fmt: skip
    again = await post(registry, confirm, "admin2")
    assert again.json()["reason"] == "already_withdrawn"


async def test_nobody_withdraws_so_many_that_no_ballot_is_possible(registry: Registry) -> None:
    files = simple_files()
    files["rules.toml"] = files["rules.toml"].replace("choices_max = 3", "choices_max = 6\nchoices_min = 6")
    await registry.load(files)
    refused = await post(registry, "/rounds/small/candidates/c1/withdraw", "platform", reason="x")
    assert (refused.status_code, refused.json()["reason"]) == (409, "too_few_left")


async def test_posters_are_alike_and_lead_to_the_round(registry: Registry) -> None:
    files = simple_files()
    files["candidates.csv"] = "".join(files["candidates.csv"].splitlines(keepends=True)[:4])
    await registry.load(files, rehearsal=True)
    one = await registry.call("GET", "/rounds/small/candidates/c1/poster.pdf", "")
    assert (one.status_code, one.content[:5]) == (200, b"%PDF-")
    packed = await registry.call("GET", "/rounds/small/posters.zip")
    names = zipfile.ZipFile(io.BytesIO(packed.content)).namelist()
    assert names == ["poster-001.pdf", "poster-002.pdf", "poster-003.pdf"]
    assert (await registry.call("GET", "/rounds/small", "")).json()["rehearsal"]
