"""The hotline's hour: one account cannot walk through a city's numbers, and nobody else is held up by it."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from services.cli.people import new_phone
from services.cli.supervisor import PlatformServers
from tests.integration.voting.conftest import Voting
from tests.integration.voting.office import Office
from tests.support.rounds import round_message, rules_text


@pytest.fixture
def settings_changes() -> dict[str, object]:
    return {"hotline_lookups_per_hour": 3}


@pytest.fixture
async def office(voting: Voting, servers: PlatformServers) -> Office:
    await voting.add_round(round_message(rules_text()))
    office = Office(voting, servers)
    for name in ("olga", "omar"):
        await office.add(name, "operator")
    return office


async def _look_up(voting: Voting, office: Office, name: str, phone: str = "") -> httpx.Response:
    form = {"round": "small", "phone": phone or new_phone()}
    headers = {"authorization": f"Bearer {office.token(name)}"}
    return await voting.http.post("/api/voting/v1/hotline", json=form, headers=headers)


async def test_an_account_over_its_hour_is_refused_and_a_colleague_is_not(voting: Voting, office: Office) -> None:
    for _ in range(3):
        assert (await _look_up(voting, office, "olga")).status_code == 200
    refused = await _look_up(voting, office, "olga")
    assert (refused.status_code, refused.json()["reason"]) == (429, "too_many_attempts")
    assert refused.headers["retry-after"]
    assert (await _look_up(voting, office, "omar")).status_code == 200


async def test_the_hour_holds_for_look_ups_at_the_same_moment(voting: Voting, office: Office) -> None:
    answers = await asyncio.gather(*(_look_up(voting, office, "olga") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 5
    assert await voting.context.pool.fetchval("SELECT count(*) FROM hotline_lookups") == 3


async def test_what_is_no_number_costs_nothing(voting: Voting, office: Office) -> None:
    for _ in range(4):
        assert (await _look_up(voting, office, "olga", "12345")).json()["reason"] == "bad_phone"
    assert (await _look_up(voting, office, "olga")).status_code == 200
