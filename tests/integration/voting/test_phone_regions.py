"""Whose phones may vote: mainland mobiles unless the operator allows other regions, and every round's page tells."""

from __future__ import annotations

import pytest

from tests.integration.voting.conftest import Voting
from tests.support.rounds import round_message, rules_text


async def test_by_default_only_mainland_mobiles_vote_and_the_page_says_so(voting: Voting) -> None:
    await voting.add_round(round_message(rules_text()))
    refused = await voting.citizen(phone="+852 51234567").ask_code()
    assert (refused.status_code, refused.json()["reason"]) == (422, "bad_phone")
    assert "可以投票的手机号码：中国大陆。" in (await voting.http.get("/rounds/small")).text
    assert "mainland China" in (await voting.http.get("/rounds/small?lang=en")).text


@pytest.mark.parametrize("settings_changes", [{"phone_regions": "CN,MO,HK"}])
async def test_other_regions_vote_where_the_operator_allows_them(voting: Voting) -> None:
    await voting.add_round(round_message(rules_text()))
    citizen = voting.citizen(phone="+852 51234567")
    await citizen.sign_in()
    assert (await citizen.vote(["c1"])).status_code == 201
    assert (
        "可以投票的手机号码：中国大陆、中国澳门特别行政区、中国香港特别行政区。"
        in (await voting.http.get("/rounds/small")).text
    )
    assert "其他地区请加上 + 和区号" in (await voting.http.get("/rounds/small/vote")).text
