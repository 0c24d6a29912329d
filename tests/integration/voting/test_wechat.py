"""WeChat proves a phone or nothing: an openid is no identity, a preview is nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.cli.people import Citizen, solve
from tests.integration.voting.conftest import Voting
from tests.integration.voting.wechat_api import APP, MINI_APP, MINI_SECRET, SECRET, WechatApi
from tests.support.local_server import Reply, serving
from tests.support.rounds import round_message, rules_text

BASE = "/api/voting/v1/rounds/small"


@pytest.fixture
def api() -> WechatApi:
    return WechatApi()


@pytest.fixture
def more_settings() -> dict[str, object]:
    return {}


@pytest.fixture
async def settings_changes(
    api: WechatApi, tmp_path: Path, more_settings: dict[str, object]
) -> AsyncIterator[dict[str, object]]:
    (tmp_path / "official").write_text(SECRET)
    (tmp_path / "mini").write_text(MINI_SECRET)
    async with serving(api) as server:
        yield {
            "wechat_url": server.url,
            "wechat_app_id": APP,
            "wechat_secret_file": str(tmp_path / "official"),
            "wechat_mini_app_id": MINI_APP,
            "wechat_mini_secret_file": str(tmp_path / "mini"),
            **more_settings,
        }


@pytest.fixture
async def open_round(voting: Voting) -> Voting:
    await voting.add_round(round_message(rules_text()))
    return voting


async def enter(voting: Voting, code: str, **changes: Any) -> httpx.Response:
    challenge = (await voting.http.get(f"{BASE}/challenge")).json()
    form = {"code": f"web-{code}", "phone_code": f"phone-{code}", "consent": "2026-11", "altcha": solve(challenge)}
    form |= changes
    return await voting.http.post(f"{BASE}/sessions/wechat", json=form)


async def test_the_same_phone_by_wechat_and_by_code_is_one_person(open_round: Voting, api: WechatApi) -> None:
    citizen = open_round.citizen()
    await citizen.sign_in()
    assert (await citizen.vote(["c1"])).status_code == 201
    api.knows("a", citizen.phone)
    answer = await enter(open_round, "a")
    assert (answer.status_code, set(answer.json())) == (201, {"token", "expires_at"})
    again = Citizen(open_round.http, "small", citizen.phone)
    again.token = answer.json()["token"]
    assert (await again.vote(["c2"])).json()["reason"] == "already_voted"


async def test_the_ledger_tells_the_route_and_keeps_no_openid(open_round: Voting, api: WechatApi) -> None:
    citizen = open_round.citizen()
    api.knows("a", citizen.phone)
    citizen.token = (await enter(open_round, "a")).json()["token"]
    assert (await citizen.vote(["c1"])).status_code == 201
    assert await open_round.context.pool.fetchval("SELECT route FROM ballots") == "wechat"


@pytest.mark.parametrize(
    "changes",
    [
        {"person": {"is_snapshotuser": 1}},
        {"person": {"openid": ""}},
        {"appid": "wx-another"},
        {"timestamp": 1_600_000_000},
        {"timestamp": None},
    ],
)
async def test_what_proves_no_phone_is_refused(open_round: Voting, api: WechatApi, changes: dict[str, Any]) -> None:
    api.knows("a", open_round.citizen().phone, **changes)
    answer = await enter(open_round, "a")
    assert (answer.status_code, answer.json()["reason"]) == (403, "route_refused")


async def test_an_openid_without_a_phone_is_nobody(open_round: Voting, api: WechatApi) -> None:
    api.knows("a", open_round.citizen().phone)
    answer = await enter(open_round, "a", phone_code="guessed")
    assert (answer.status_code, answer.json()["reason"]) == (403, "route_refused")


async def test_codes_are_good_once(open_round: Voting, api: WechatApi) -> None:
    api.knows("a", open_round.citizen().phone)
    answers = await asyncio.gather(*(enter(open_round, "a") for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 403, 403]


async def test_a_foreign_number_votes_only_where_its_region_does(open_round: Voting, api: WechatApi) -> None:
    api.knows("a", "51234567")
    api.phones["phone-a"]["countryCode"] = "852"
    assert (await enter(open_round, "a")).json()["reason"] == "bad_phone"


async def test_consent_comes_before_anything_is_asked(open_round: Voting, api: WechatApi) -> None:
    api.knows("a", open_round.citizen().phone)
    assert (await enter(open_round, "a", consent="")).json()["reason"] == "consent_missing"
    assert (await enter(open_round, "a", adult=False)).json()["reason"] == "too_young"
    assert (await enter(open_round, "a")).status_code == 201


async def test_our_own_token_is_kept_and_renewed_when_it_is_gone(open_round: Voting, api: WechatApi) -> None:
    for code in "abc":
        api.knows(code, open_round.citizen().phone)
    assert (await enter(open_round, "a")).status_code == 201
    assert (await enter(open_round, "b")).status_code == 201
    assert len(api.tokens) == 1
    api.tokens.append("token-made-elsewhere")
    assert (await enter(open_round, "c")).status_code == 201
    assert len(api.tokens) == 3


@pytest.mark.parametrize("mishap", [Reply({}, 502), Reply(b"busy"), Reply({"errcode": -1, "errmsg": "system busy"})])
async def test_a_wechat_that_is_away_says_so(open_round: Voting, api: WechatApi, mishap: Reply) -> None:
    api.knows("a", open_round.citizen().phone)
    api.mishaps.append(mishap)
    answer = await enter(open_round, "a")
    assert (answer.status_code, answer.json()["reason"]) == (503, "route_unavailable")
    assert (await enter(open_round, "a")).status_code == 201


@pytest.mark.parametrize("more_settings", [{"wechat_app_id": ""}])
async def test_without_an_account_there_is_no_such_way(open_round: Voting) -> None:
    answer = await enter(open_round, "a")
    assert (answer.status_code, answer.json()["reason"]) == (503, "route_unavailable")


async def test_a_round_that_needs_ids_is_not_entered_by_a_phone_alone(voting: Voting, api: WechatApi) -> None:
    rules = rules_text(ballot='choices_min = 1\nchoices_max = 3\nidentity = "phone_and_id"\n')
    await voting.add_round(round_message(rules))
    api.knows("a", voting.citizen().phone)
    assert (await enter(voting, "a")).json()["reason"] == "identity_unavailable"


@pytest.mark.parametrize("altcha", ["", "guessed"])
async def test_wechat_is_asked_only_for_work(open_round: Voting, api: WechatApi, altcha: str) -> None:
    """A refused challenge uses up neither of WeChat's codes, which are good once."""
    api.knows("a", open_round.citizen().phone)
    answer = await enter(open_round, "a", altcha=altcha)
    assert (answer.status_code, answer.json()["reason"]) == (403, "challenge_failed")
    assert (await enter(open_round, "a")).status_code == 201


async def test_work_is_good_once(open_round: Voting, api: WechatApi) -> None:
    solved = solve((await open_round.http.get(f"{BASE}/challenge")).json())
    for code, expected in (("a", 201), ("b", 403)):
        api.knows(code, open_round.citizen().phone)
        assert (await enter(open_round, code, altcha=solved)).status_code == expected
