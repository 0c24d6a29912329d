"""A worker that has not yet heard of a round asks for patience: another worker signed the voter in already."""

from __future__ import annotations

import os
import time

from services.voting.voter_token import VoterToken
from tests.integration.voting.conftest import Voting
from tests.support.rounds import round_message, rules_text


async def test_a_genuine_token_of_a_round_this_worker_does_not_know_yet_is_worth_repeating(voting: Voting) -> None:
    await voting.add_round(round_message(rules_text()))
    citizen = voting.citizen()
    token = VoterToken(99, os.urandom(16), 0, "sms", "", int(time.time()) + 60)
    citizen.token = voting.context.tokens.sign(token)
    answer = await citizen.vote(["c1"])
    assert (answer.status_code, answer.json()["reason"]) == (503, "overloaded")
    assert answer.headers["retry-after"] == "1"
