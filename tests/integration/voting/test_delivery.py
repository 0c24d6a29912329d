"""Codes travel by real providers' protocols, fail over, hold no connection, and tell what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.cli.audit import violations
from services.cli.people import Citizen
from services.cli.supervisor import PlatformServers
from services.shared.errors import ConfigurationError
from services.shared.tokens import StaffSigner
from services.voting.delivery.compose import make_courier
from services.voting.delivery.store import give_up_lost
from tests.integration.voting.clouds import ALIYUN_SECRET, TENCENT_SECRET, AliyunCloud, TencentCloud
from tests.integration.voting.conftest import Voting
from tests.integration.voting.office import Office
from tests.support.local_server import Reply, serving
from tests.support.rounds import round_message, rules_text
from tests.support.waiting import wait_until

REPORTS = "/api/voting/v1/delivery"
HOTLINE = "/api/voting/v1/hotline"
PASSWORD = "report-password-of-a-test"
THROTTLED = Reply({"Code": "isv.BUSINESS_LIMIT_CONTROL", "Message": "…", "RequestId": "r"})
AWAY = Reply({}, 503)
TENCENT_AWAY = Reply({"Response": {"Error": {"Code": "InternalError"}, "RequestId": "r"}})
TENCENT_THROTTLES_NUMBER = Reply(
    {"Response": {"SendStatusSet": [{"Code": "LimitExceeded.PhoneNumberDailyLimit"}], "RequestId": "r"}}
)


@pytest.fixture
def aliyun() -> AliyunCloud:
    return AliyunCloud()


@pytest.fixture
def tencent() -> TencentCloud:
    return TencentCloud()


@pytest.fixture
def more_settings() -> dict[str, object]:
    return {}


@pytest.fixture
async def settings_changes(
    aliyun: AliyunCloud, tencent: TencentCloud, tmp_path: Path, more_settings: dict[str, object]
) -> AsyncIterator[dict[str, object]]:
    files = {"aliyun": ALIYUN_SECRET, "tencent": TENCENT_SECRET, "reports": PASSWORD.encode()}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    async with serving(aliyun) as first, serving(tencent) as second:
        yield {
            "sms_provider": "aliyun,tencent",
            "platform_mode": "",
            "aliyun_key_id": "key",
            "aliyun_secret_file": str(tmp_path / "aliyun"),
            "aliyun_sms_url": first.url,
            "aliyun_sign_name": "评选",
            "aliyun_sms_template": "SMS_1",
            "aliyun_voice_url": first.url,
            "aliyun_voice_template": "TTS_1",
            "tencent_secret_id": "id",
            "tencent_secret_file": str(tmp_path / "tencent"),
            "tencent_sms_url": second.url,
            "tencent_sms_app": "1400",
            "tencent_sign_name": "评选",
            "tencent_sms_template": "1",
            "tencent_voice_url": second.url,
            "tencent_voice_app": "1600",
            "tencent_voice_template": "2",
            "delivery_report_secret_file": str(tmp_path / "reports"),
            "code_resend_s": 0,
            **more_settings,
        }


@pytest.fixture
async def sending(voting: Voting) -> Voting:
    await voting.add_round(round_message(rules_text()))
    return voting


async def deliveries(voting: Voting) -> list[tuple[str, str, str, str]]:
    """(provider, route, state, failure) in order."""
    rows = await voting.context.pool.fetch("SELECT provider, route, state, failure FROM code_deliveries ORDER BY id")
    return [tuple(row) for row in rows]


async def report(voting: Voting, provider: str, body: Any, password: str = PASSWORD) -> httpx.Response:
    return await voting.http.post(f"{REPORTS}/{provider}", json=body, auth=("reports", password))


async def test_a_code_arrives_by_the_first_provider_and_signs_in(sending: Voting, aliyun: AliyunCloud) -> None:
    citizen = sending.citizen()
    request = (await citizen.ask_code()).json()["request"]
    (message,) = aliyun.sent
    assert (message["action"], message["PhoneNumbers"]) == ("SendSms", citizen.phone)
    assert (message["SignName"], message["TemplateCode"]) == ("评选", "SMS_1")
    code = message["TemplateParam"].removeprefix('{"code":"').removesuffix('"}')
    assert (await citizen.prove(request, code)).status_code == 201
    assert await deliveries(sending) == [("aliyun", "sms", "accepted", "")]
    assert await violations({"voting": sending.database.app_url}) == []


async def test_a_spoken_code(sending: Voting, aliyun: AliyunCloud, tencent: TencentCloud) -> None:
    citizen = sending.citizen()
    assert (await citizen.ask_code(route="voice")).status_code == 202
    aliyun.mishaps.append(Reply({"Code": "isp.SYSTEM_ERROR"}))
    assert (await citizen.ask_code(route="voice")).status_code == 202
    assert aliyun.sent[0]["action"] == "SingleCallByTts"
    assert (tencent.sent[0]["action"], tencent.sent[0]["CalledNumber"]) == ("SendTtsVoice", f"+86{citizen.phone}")


@pytest.mark.parametrize(
    ("mishap", "failure"),
    [
        (THROTTLED, "number_throttled"),
        (Reply({"Code": "Throttling.User"}, 400), "provider_throttled"),
        (Reply({}, 429), "provider_throttled"),
        (Reply({"Code": "isv.AMOUNT_NOT_ENOUGH"}), "provider_refused"),
        (Reply({}, 503), "provider_away"),
        (Reply(b"<html>oops</html>"), "provider_away"),
    ],
)
async def test_the_second_provider_sends_what_the_first_did_not(
    sending: Voting, aliyun: AliyunCloud, tencent: TencentCloud, mishap: Reply, failure: str
) -> None:
    aliyun.mishaps.append(mishap)
    citizen = sending.citizen()
    request = (await citizen.ask_code()).json()["request"]
    (message,) = tencent.sent
    assert message["PhoneNumberSet"] == [f"+86{citizen.phone}"]
    assert (await citizen.prove(request, message["TemplateParamSet"][0])).status_code == 201
    assert await deliveries(sending) == [("aliyun", "sms", "failed", failure), ("tencent", "sms", "accepted", "")]


async def test_a_bad_number_is_tried_once_and_answered_as_every_other(
    sending: Voting, aliyun: AliyunCloud, tencent: TencentCloud
) -> None:
    aliyun.mishaps.append(Reply({"Code": "isv.MOBILE_NUMBER_ILLEGAL"}))
    answer = await sending.citizen().ask_code()
    assert (answer.status_code, set(answer.json())) == (202, {"request", "expires_in_s", "resend_after_s"})
    assert tencent.asked == 0
    assert await deliveries(sending) == [("aliyun", "sms", "failed", "bad_number")]


@pytest.mark.parametrize("more_settings", [{"code_resend_s": 60}])
async def test_a_code_known_to_have_failed_needs_no_pause(sending: Voting, aliyun: AliyunCloud) -> None:
    aliyun.mishaps.append(Reply({"Code": "isv.MOBILE_NUMBER_ILLEGAL"}))
    citizen = sending.citizen()
    assert [(await citizen.ask_code()).status_code for _ in range(3)] == [202, 202, 429]


@pytest.mark.parametrize("more_settings", [{"delivery_failures_max": 2}])
async def test_a_failing_provider_rests_and_when_all_rest_codes_pause(
    sending: Voting, aliyun: AliyunCloud, tencent: TencentCloud
) -> None:
    aliyun.mishaps += [Reply({}, 503)] * 2
    for _ in range(3):
        await sending.citizen().ask_code()
    assert (aliyun.asked, tencent.asked) == (2, 3)
    tencent.mishaps += [Reply({"Response": {"Error": {"Code": "InternalError"}, "RequestId": "r"}})] * 2
    for _ in range(2):
        assert (await sending.citizen().ask_code()).status_code == 202
    paused = await sending.citizen().ask_code()
    assert (paused.status_code, paused.json()["reason"]) == (503, "codes_paused")
    assert paused.json()["alternatives"] == ["voice", "station"]


@pytest.mark.parametrize("more_settings", [{"delivery_failures_max": 2}])
async def test_nobody_silences_a_provider_by_asking_much_for_one_number_or_by_voice(
    sending: Voting, aliyun: AliyunCloud
) -> None:
    aliyun.mishaps += [THROTTLED] * 4 + [Reply({"Code": "isv.TTS_TEMPLATE_ILLEGAL"})] * 2
    for route in ("sms",) * 4 + ("voice",) * 2:
        await sending.citizen().ask_code(route=route)
    assert (await sending.citizen().ask_code()).status_code == 202
    assert (aliyun.asked, len(aliyun.sent)) == (7, 1)


@pytest.mark.parametrize("more_settings", [{"pool_max": 2, "delivery_wait_s": 0.2, "delivery_timeout_s": 2.0}])
async def test_a_provider_that_hangs_holds_no_connection_and_nobody_up(
    sending: Voting, aliyun: AliyunCloud, tencent: TencentCloud
) -> None:
    aliyun.open.clear()
    answers = await asyncio.gather(*(sending.citizen().ask_code() for _ in range(6)))
    assert {answer.status_code for answer in answers} == {202}
    assert not tencent.sent
    assert {state for _, _, state, _ in await deliveries(sending)} == {"waiting"}
    # After its time each goes on by the other provider, without the phone waiting.
    await wait_until(lambda: len(tencent.sent) == 6, 10, "the second provider takes over")
    aliyun.open.set()


async def test_a_code_whose_sender_died_is_lost_not_waiting(sending: Voting, aliyun: AliyunCloud) -> None:
    await sending.citizen().ask_code()
    await sending.context.pool.execute("UPDATE code_deliveries SET state = 'waiting', delivery_id = NULL")
    assert await give_up_lost(sending.context.pool, 60) == 0
    assert await give_up_lost(sending.context.pool, 0) == 1
    assert [state for _, _, state, _ in await deliveries(sending)] == ["lost"]


async def test_reports_are_taken_once_and_only_with_the_password(sending: Voting, aliyun: AliyunCloud) -> None:
    await sending.citizen().ask_code()
    body = [{"phone_number": "139", "success": True, "biz_id": "a1", "err_code": "DELIVERED"}]
    for password in ("", "wrong"):
        answer = await report(sending, "aliyun", body, password)
        assert (answer.status_code, answer.json()["reason"]) == (401, "bad_token")
    assert (await sending.http.post(f"{REPORTS}/aliyun", json=body)).status_code == 401
    taken = await report(sending, "aliyun", body)
    assert (taken.status_code, taken.json()) == (200, {"code": 0, "msg": "OK"})
    assert await deliveries(sending) == [("aliyun", "sms", "delivered", "")]
    late = [{"success": False, "biz_id": "a1"}, {"success": True, "biz_id": "unknown"}]
    assert (await report(sending, "aliyun", late)).status_code == 200
    assert await deliveries(sending) == [("aliyun", "sms", "delivered", "")]


async def test_the_other_providers_reports_and_what_is_none(
    sending: Voting, aliyun: AliyunCloud, tencent: TencentCloud
) -> None:
    aliyun.mishaps.append(THROTTLED)
    await sending.citizen().ask_code()
    body = [{"sid": "t1", "report_status": "FAIL", "errmsg": "MK:0001", "mobile": "139", "nationcode": "86"}]
    assert (await report(sending, "tencent", body)).json() == {"result": 0, "errmsg": "OK"}
    assert (await deliveries(sending))[1] == ("tencent", "sms", "failed", "not_delivered")
    for provider, wrong, expected in (
        ("tencent", {"no": "report"}, (422, "bad_form")),
        ("aliyun", [{"biz_id": 5}], (422, "bad_form")),
        ("nobody", [], (404, "unknown_provider")),
    ):
        answer = await report(sending, provider, wrong)
        assert (answer.status_code, answer.json()["reason"]) == expected


async def test_the_hotline_sees_whether_a_code_arrived_and_nothing_else(
    sending: Voting, servers: PlatformServers, aliyun: AliyunCloud, tencent: TencentCloud
) -> None:
    office = Office(sending, servers)
    await office.add("olga", "operator")
    citizen = sending.citizen()
    request = (await citizen.ask_code()).json()["request"]
    before = await ask_hotline(sending, servers, citizen.phone)
    await report(sending, "aliyun", [{"success": True, "biz_id": "a1"}])
    code = aliyun.sent[0]["TemplateParam"].removeprefix('{"code":"').removesuffix('"}')
    citizen.token = (await citizen.prove(request, code)).json()["token"]
    assert (await citizen.vote(["c1"])).status_code == 201
    after = await ask_hotline(sending, servers, f"+86 {citizen.phone}")
    assert [set(each) for each in after] == [{"sent_at", "route", "state", "failure", "expired"}]
    assert (before[0]["state"], after[0]["state"]) == ("accepted", "delivered")
    assert await ask_hotline(sending, servers, "13000000000") == []
    log = await sending.context.pool.fetch("SELECT staff, phone_key FROM hotline_lookups ORDER BY id")
    assert [row["staff"] for row in log] == ["olga"] * 3
    assert log[0]["phone_key"] == log[1]["phone_key"] != log[2]["phone_key"]


def signed_in(servers: PlatformServers, name: str) -> dict[str, str]:
    """Headers of a member of staff."""
    signer = StaffSigner(Path(servers.environment["STAFF_SIGNING_KEY_FILE"]).read_bytes())
    return {"authorization": f"Bearer {signer.sign(name, name, [], datetime.now(UTC))[0]}"}


async def ask_hotline(voting: Voting, servers: PlatformServers, phone: str) -> list[dict[str, Any]]:
    form = {"round": "small", "phone": phone}
    answer = await voting.http.post(HOTLINE, json=form, headers=signed_in(servers, "olga"))
    assert answer.status_code == 200, answer.text
    codes: list[dict[str, Any]] = answer.json()["codes"]
    return codes


async def test_only_operators_ask_the_hotline(sending: Voting, servers: PlatformServers) -> None:
    office = Office(sending, servers)
    await office.add("ann", "administrator")
    form = {"round": "small", "phone": "13900000000"}
    assert (await sending.http.post(HOTLINE, json=form, headers=signed_in(servers, "ann"))).status_code == 403
    assert (await sending.http.post(HOTLINE, json=form)).status_code == 401
    await office.add("olga", "operator")
    for wrong, expected in (
        ({"round": "nowhere", "phone": "13900000000"}, (404, "unknown_round")),
        ({"round": "small", "phone": "12345"}, (422, "bad_phone")),
    ):
        answer = await sending.http.post(HOTLINE, json=wrong, headers=signed_in(servers, "olga"))
        assert (answer.status_code, answer.json()["reason"]) == expected


async def test_codes_are_nowhere_to_be_read_outside_the_embedded_platform(sending: Voting) -> None:
    assert (await sending.http.post("/dev/outbox", json={"phone": "13900000000"})).status_code == 404
    assert await sending.context.pool.fetchval("SELECT count(*) FROM dev_outbox") == 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sms_provider": ""}, "SMS_PROVIDER"),
        ({"sms_provider": "pigeon"}, "SMS_PROVIDER"),
        ({"sms_provider": "aliyun,aliyun"}, "SMS_PROVIDER"),
        ({"sms_provider": "outbox"}, "refused outside"),
        ({"aliyun_sign_name": ""}, "VOTING_ALIYUN_SIGN_NAME"),
        ({"tencent_secret_file": "/nowhere"}, "VOTING_TENCENT_SECRET_FILE"),
    ],
)
async def test_what_is_missing_is_said_at_start(sending: Voting, changes: dict[str, Any], named: str) -> None:
    wrong = type(sending.settings)(**{**_fields(sending), **changes})
    with pytest.raises(ConfigurationError, match=named):
        make_courier(wrong, sending.context.pool, b"s" * 32)


def _fields(voting: Voting) -> dict[str, Any]:
    return {name: getattr(voting.settings, name) for name in voting.settings.__struct_fields__}


@pytest.mark.parametrize("more_settings", [{"aliyun_voice_template": "", "tencent_voice_template": ""}])
async def test_a_route_that_no_provider_has_is_refused_with_the_others_named(sending: Voting) -> None:
    answer = await Citizen(sending.http, "small").ask_code(route="voice")
    assert (answer.status_code, answer.json()["reason"]) == (503, "codes_paused")
    assert answer.json()["alternatives"] == ["sms", "station"]
    assert await codes_seen(sending) == (0, 0)


async def codes_seen(voting: Voting) -> tuple[int, int]:
    """(sent, unsent) of this minute, as the outage rule will see them."""
    frozen = voting.context.rounds.get("small")
    assert frozen is not None
    codes = list(voting.context.pulse._codes[frozen.number].values())
    return codes.count(True), codes.count(False)


async def test_a_code_that_no_provider_took_counts_for_the_outage_rule(
    sending: Voting, aliyun: AliyunCloud, tencent: TencentCloud
) -> None:
    aliyun.mishaps.append(AWAY)
    assert (await sending.citizen().ask_code()).status_code == 202
    assert await codes_seen(sending) == (1, 0)
    aliyun.mishaps.append(AWAY)
    tencent.mishaps.append(TENCENT_AWAY)
    citizen = sending.citizen()
    assert (await citizen.ask_code()).status_code == 202
    assert await codes_seen(sending) == (1, 1)
    # The next code arrives: whoever asked was served in this minute after all.
    assert (await citizen.ask_code()).status_code == 202
    assert await codes_seen(sending) == (2, 0)


@pytest.mark.parametrize("more_settings", [{"delivery_failures_max": 1}])
async def test_a_paused_code_counts_once_for_each_number(
    sending: Voting, aliyun: AliyunCloud, tencent: TencentCloud
) -> None:
    aliyun.mishaps.append(AWAY)
    tencent.mishaps.append(TENCENT_AWAY)
    await sending.citizen().ask_code()
    impatient = sending.citizen()
    for _ in range(5):
        assert (await impatient.ask_code()).json()["reason"] == "codes_paused"
    assert await codes_seen(sending) == (0, 2)


async def test_a_flood_without_token_buys_no_time(sending: Voting, aliyun: AliyunCloud, tencent: TencentCloud) -> None:
    """Impossible numbers, too many codes for one, unsolved challenges, calls: nothing of it is anybody's outage."""
    aliyun.mishaps += [Reply({"Code": "isv.MOBILE_NUMBER_ILLEGAL"})] * 3 + [THROTTLED, AWAY]
    tencent.mishaps += [TENCENT_THROTTLES_NUMBER] * 2
    for _ in range(5):
        assert (await sending.citizen().ask_code()).status_code == 202
    assert [failure for *_, failure in await deliveries(sending)].count("number_throttled") == 3
    aliyun.mishaps.append(Reply({"Code": "isv.TTS_TEMPLATE_ILLEGAL"}))
    tencent.mishaps.append(TENCENT_AWAY)
    assert (await sending.citizen().ask_code(route="voice")).status_code == 202
    form = {"phone": "13900000001", "altcha": "bm90aGluZw=="}
    for wrong in (form, {**form, "phone": "12345"}):
        assert (await sending.http.post("/api/voting/v1/rounds/small/codes", json=wrong)).status_code in (403, 422)
    assert await codes_seen(sending) == (0, 0)
