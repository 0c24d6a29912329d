"""Strata: declared by the voter, or the region of the proven phone; counted apart, never choosing who may vote."""

from __future__ import annotations

import pytest

from services.voting.phone_region import region_of
from tests.integration.voting.conftest import Voting
from tests.support.rounds import round_message, rules_text


async def _strata(voting: Voting) -> list[str]:
    rows = await voting.context.pool.fetch("SELECT stratum FROM ballots ORDER BY index")
    return [row["stratum"] for row in rows]


@pytest.mark.parametrize(
    ("phone", "region"),
    [("+8613888012345", "云南省昆明市"), ("+8613812345678", "江苏省连云港市"), ("+8619912345678", "")],
)
def test_a_region_is_told_where_the_tables_know_one(phone: str, region: str) -> None:
    assert region_of(phone) == region


async def test_the_region_of_the_phone_stands_beside_the_ballot(voting: Voting) -> None:
    await voting.add_round(round_message(rules_text(ballot='choices_max = 3\nstratum = "phone_region"\n')))
    citizen = voting.citizen(phone="13888012345")
    await citizen.sign_in(district="somewhere else")
    assert (await citizen.vote(["c1"])).status_code == 201
    assert await _strata(voting) == ["云南省昆明市"]


async def test_a_declared_district_stands_beside_the_ballot(voting: Voting) -> None:
    await voting.add_round(round_message(rules_text(ballot='choices_max = 3\nstratum = "declared"\n')))
    for district in ("五华区", " 五华区  ", ""):
        citizen = voting.citizen()
        await citizen.sign_in(district=district)
        assert (await citizen.vote(["c1"])).status_code == 201
    assert await _strata(voting) == ["五华区", "五华区", ""]


async def test_where_the_rules_ask_for_none_nothing_is_kept(voting: Voting) -> None:
    await voting.add_round(round_message(rules_text()))
    citizen = voting.citizen()
    await citizen.sign_in(district="五华区")
    await citizen.vote(["c1"])
    assert await _strata(voting) == [""]
