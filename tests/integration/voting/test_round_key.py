"""A round's identity key that is missing or another one: nobody is signed in, for they would be somebody else."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from services.cli.people import Citizen
from tests.integration.voting.conftest import Voting
from tests.support.rounds import round_message, rules_text


@pytest.fixture
async def voter(voting: Voting) -> Citizen:
    """Somebody who has voted."""
    await voting.add_round(round_message(rules_text()))
    citizen = voting.citizen()
    await citizen.sign_in()
    assert (await citizen.vote(["c1"])).status_code == 201
    await voting.context.rounds.refresh()
    return citizen


def _key(voting: Voting) -> Path:
    return Path(voting.settings.round_keys_dir) / "small.key"


def _again(voting: Voting, citizen: Citizen) -> Citizen:
    """The same phone at another address, which has not just been sent a code."""
    voting.context.keys.drop_cached("small")
    other = voting.citizen(phone=citizen.phone)
    other.headers = {"x-forwarded-for": "203.0.113.9"}
    return other


def _told(answer: httpx.Response) -> tuple[int, str, str | None]:
    return answer.status_code, answer.json().get("reason", ""), answer.headers.get("retry-after")


async def test_while_the_key_is_missing_nobody_is_signed_in_and_no_other_is_made(
    voting: Voting, voter: Citizen
) -> None:
    aside = _key(voting).rename(_key(voting).with_suffix(".aside"))
    assert _told(await _again(voting, voter).ask_code()) == (503, "identity_unavailable", "60")
    assert not _key(voting).exists()
    # Who is signed in already goes on.
    assert _told(await voter.vote(["c2"]))[:2] == (409, "already_voted")
    aside.rename(_key(voting))
    again = _again(voting, voter)
    await again.sign_in()
    assert _told(await again.vote(["c2"]))[:2] == (409, "already_voted")


async def test_another_key_in_its_place_makes_nobody_another_person(voting: Voting, voter: Citizen) -> None:
    _key(voting).unlink()
    voting.context.keys.drop_cached("small")
    voting.context.keys.create("small")
    again = _again(voting, voter)
    asked = await again.ask_code()
    assert asked.status_code == 202
    proven = await again.prove(asked.json()["request"], await again.newest_code())
    assert _told(proven) == (503, "identity_unavailable", "60")
    assert await voting.context.pool.fetchval("SELECT count(*) FROM ballots") == 1
