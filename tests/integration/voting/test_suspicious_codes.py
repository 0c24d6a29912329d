"""Nobody can lock out a number or a county: suspicion asks for more work, and only a spent budget pauses."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.cli.audit import violations
from services.cli.people import Citizen, solve
from tests.integration.voting.conftest import Voting
from tests.support.rounds import round_message, rules_text

BASE = "/api/voting/v1/rounds/small"


@pytest.fixture
async def open_round(voting: Voting) -> Voting:
    await voting.add_round(round_message(rules_text()))
    return voting


async def ask_from(voting: Voting, phone: str, place: int, **changes: Any) -> httpx.Response:
    """Ask for a code from an address of one's own."""
    citizen = Citizen(voting.http, "small", phone, f"198.51.100.{place}")
    return await citizen.ask_code(**changes)


async def flood(voting: Voting, phone: str) -> httpx.Response:
    """Somebody asks for codes for `phone` from ever new addresses until more work is asked for."""
    for place in range(1, 20):
        answer = await ask_from(voting, phone, place)
        if answer.status_code != 202:
            return answer
    raise AssertionError("nothing was ever asked for")


async def test_too_many_codes_for_a_number_ask_for_more_work_and_offer_other_ways(open_round: Voting) -> None:
    phone = open_round.citizen().phone
    answer = await flood(open_round, phone)
    problem = answer.json()
    assert (answer.status_code, problem["reason"]) == (403, "challenge_failed")
    assert problem["alternatives"] == ["voice", "station"]
    assert problem["challenge"]["parameters"]["data"]["level"] == 1
    assert phone not in answer.text
    # The rightful owner does the work and has a code.
    again = await ask_from(open_round, phone, 77, altcha=solve(problem["challenge"]))
    assert again.status_code == 202


async def test_more_work_counts_for_its_phone_only_and_once(open_round: Voting) -> None:
    first, second = open_round.citizen().phone, open_round.citizen().phone
    solved = solve((await flood(open_round, first)).json()["challenge"])
    await flood(open_round, second)
    other = await ask_from(open_round, second, 78, altcha=solved)
    assert other.json()["reason"] == "challenge_failed"
    assert (await ask_from(open_round, first, 79, altcha=solved)).json()["reason"] == "challenge_failed"


async def test_a_victim_still_gets_a_call_without_more_work(open_round: Voting) -> None:
    phone = open_round.citizen().phone
    await flood(open_round, phone)
    assert (await ask_from(open_round, phone, 80, route="voice")).status_code == 202


async def test_proven_codes_and_a_ballot_raise_no_suspicion(open_round: Voting) -> None:
    phone = open_round.citizen().phone
    for place in range(1, 8):
        citizen = Citizen(open_round.http, "small", phone, f"198.51.100.{place}")
        await citizen.sign_in()
        if place == 1:
            assert (await citizen.vote(["c1"])).status_code == 201
    assert (await ask_from(open_round, phone, 90)).status_code == 202


async def test_a_pause_concerns_the_device_where_there_is_one(open_round: Voting) -> None:
    """Behind one carrier address an attacker's codes must not hold a victim up."""
    phone, solved = open_round.citizen().phone, []
    for _ in range(2):
        answer = await open_round.http.get(f"{BASE}/challenge")
        solved.append((answer.headers["set-cookie"].partition(";")[0], solve(answer.json())))
    answers = [
        await open_round.http.post(f"{BASE}/codes", json={"phone": phone, "altcha": altcha}, headers={"cookie": cookie})
        for cookie, altcha in solved
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    again = solve((await open_round.http.get(f"{BASE}/challenge")).json())
    paused = await open_round.http.post(
        f"{BASE}/codes", json={"phone": phone, "altcha": again}, headers={"cookie": solved[0][0]}
    )
    assert (paused.status_code, paused.json()["reason"]) == (429, "too_many_codes")


@pytest.mark.parametrize("settings_changes", [{"codes_free_per_prefix_max": 1}])
async def test_a_burst_of_neighbours_that_never_complete_makes_work_for_their_block_only(open_round: Voting) -> None:
    for place in range(20):
        assert (await ask_from(open_round, f"1370000{place:04d}", place + 1)).status_code == 202
    burst = await ask_from(open_round, "13700009999", 99)
    assert burst.json()["challenge"]["parameters"]["data"]["level"] == 1
    assert (await ask_from(open_round, "13700019999", 99)).status_code == 202


@pytest.mark.parametrize("settings_changes", [{"code_failures_free_max": 3}])
async def test_many_wrong_codes_make_work(open_round: Voting) -> None:
    citizen = open_round.citizen()
    request = (await citizen.ask_code()).json()["request"]
    wrong = f"{(int(await citizen.newest_code()) + 1) % 1_000_000:06d}"
    for _ in range(3):
        await citizen.prove(request, wrong)
    answer = await ask_from(open_round, citizen.phone, 50)
    assert answer.json()["challenge"]["parameters"]["data"]["level"] == 1


@pytest.mark.parametrize("settings_changes", [{"codes_per_day_max": 2}])
async def test_a_days_budget_pauses_codes_for_everybody(open_round: Voting) -> None:
    answers = [await open_round.citizen().ask_code() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 503]
    assert (answers[2].json()["reason"], answers[2].headers["retry-after"]) == ("codes_paused", "1800")


async def test_what_was_spent_is_never_less_than_what_was_asked_for(open_round: Voting) -> None:
    for _ in range(3):
        await open_round.citizen().ask_code()
    assert await violations({"voting": open_round.database.app_url}) == []
    assert await open_round.context.pool.fetchval("SELECT sum(codes) FROM code_spend") == 3


async def test_the_rightful_owner_of_a_flooded_number_signs_in_and_votes(open_round: Voting) -> None:
    """More work is all that an attacker can cause; a phone does it by itself."""
    citizen = open_round.citizen()
    await flood(open_round, citizen.phone)
    citizen.headers = {"x-forwarded-for": "203.0.113.40"}
    await citizen.sign_in()
    assert (await citizen.vote(["c1"])).status_code == 201
