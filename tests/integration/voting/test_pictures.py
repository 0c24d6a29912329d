"""A candidate's picture on its page, with the words that are read to those who do not see it."""

from __future__ import annotations

import msgspec

from tests.integration.voting.conftest import Voting
from tests.support.rounds import round_message, rules_text

ADDRESS = "/api/registry/v1/rounds/small/pictures/c1?v=0123456789ab"


async def test_the_picture_is_shown_with_its_words(voting: Voting) -> None:
    """They come with the card from the registry, are part of the public answer, and stand as the picture's text."""
    message = round_message(rules_text())
    card = msgspec.structs.replace(message.candidates[0], image=ADDRESS, image_text='居民围坐"议事"')
    await voting.add_round(msgspec.structs.replace(message, candidates=[card, *message.candidates[1:]]))
    facts = (await voting.http.get("/api/voting/v1/rounds/small")).json()
    told = next(each for each in facts["candidates"] if each["candidate"] == "c1")
    assert (told["image"], told["image_text"]) == (ADDRESS, '居民围坐"议事"')
    page = await voting.http.get("/rounds/small/candidates/c1")
    assert f'<img src="{ADDRESS}" alt="居民围坐&#34;议事&#34;">' in page.text
    assert "<img" not in (await voting.http.get("/rounds/small/candidates/c2")).text
