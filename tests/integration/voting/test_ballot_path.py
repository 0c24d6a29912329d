"""The life of a ballot over HTTP: accepted once, repeated without harm, refused with the right word."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.integration.voting.conftest import Voting
from tests.support.rounds import round_message, rules_text


@pytest.fixture
async def open_round(voting: Voting) -> Voting:
    await voting.add_round(round_message(rules_text()))
    return voting


async def test_a_ballot_is_recorded_and_its_receipt_says_so(open_round: Voting) -> None:
    citizen = open_round.citizen()
    await citizen.sign_in()
    answer = await citizen.vote(["c1", "c2"])
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert set(body) == {"receipt", "ballot_id", "recorded_at", "index"}
    receipt = (await open_round.http.get(f"/api/voting/v1/receipts/{body['receipt']}")).json()
    assert receipt["state"] == "recorded"
    assert "choices" not in receipt


async def test_the_same_ballot_again_gets_the_same_body(open_round: Voting) -> None:
    citizen = open_round.citizen()
    await citizen.sign_in()
    ballot_id = str(uuid4())
    first = await citizen.vote(["c1", "c2"], ballot_id)
    again = await citizen.vote(["c2", "c1"], ballot_id)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()


async def test_a_hint_from_valkey_gives_the_same_body_as_the_ledger(open_round: Voting) -> None:
    """The first repeat is answered by the ledger and leaves a hint; the second comes from the hint."""
    citizen, other = open_round.citizen(), open_round.citizen()
    await citizen.sign_in()
    await other.sign_in()
    ballot_id = str(uuid4())
    bodies = [(await citizen.vote(["c1"], ballot_id)).json() for _ in range(2)]
    await other.vote(["c3"])
    bodies += [(await citizen.vote(["c1"], ballot_id)).json() for _ in range(2)]
    assert all(body == bodies[0] for body in bodies)


async def test_another_ballot_of_the_same_person_is_refused(open_round: Voting) -> None:
    citizen = open_round.citizen()
    await citizen.sign_in()
    await citizen.vote(["c1"])
    second = await citizen.vote(["c2"])
    assert (second.status_code, second.json()["reason"]) == (409, "already_voted")
    assert second.headers["content-type"] == "application/problem+json"


async def test_the_same_id_with_other_choices_is_refused(open_round: Voting) -> None:
    citizen = open_round.citizen()
    await citizen.sign_in()
    ballot_id = str(uuid4())
    await citizen.vote(["c1"], ballot_id)
    reused = await citizen.vote(["c2"], ballot_id)
    assert (reused.status_code, reused.json()["reason"]) == (409, "ballot_id_reused")


async def test_without_a_genuine_token_nothing_is_said_about_the_ballot(open_round: Voting) -> None:
    citizen = open_round.citizen()
    citizen.token = "A" * 60
    answer = await citizen.vote(["nobody"])
    assert (answer.status_code, answer.json()["reason"]) == (401, "bad_token")


@pytest.mark.parametrize(
    ("choices", "part"),
    [
        ([], "at least 1"),
        (["c1", "c2", "c3", "c4"], "at most 3"),
        (["c1", "c1"], "twice"),
        (["c1", "nobody"], "not a candidate"),
    ],
)
async def test_a_ballot_against_the_rule_says_what_is_wrong(open_round: Voting, choices: list[str], part: str) -> None:
    citizen = open_round.citizen()
    await citizen.sign_in()
    answer = await citizen.vote(choices)
    assert (answer.status_code, answer.json()["reason"]) == (422, "bad_ballot")
    assert part in answer.json()["detail"]


async def test_groups_and_channels_of_the_rule_hold(voting: Voting) -> None:
    ballot = "choices_min = 1\nchoices_max = 6\ngroup_max = 2\nchannels_min = 2\n"
    await voting.add_round(round_message(rules_text(ballot=ballot, more='[groups]\nby = ["level"]\n')))
    citizen = voting.citizen()
    await citizen.sign_in()
    assert "one group" in (await citizen.vote(["c1", "c3", "c5"])).json()["detail"]
    assert "channels" in (await citizen.vote(["c1", "c4"])).json()["detail"]
    assert (await citizen.vote(["c1", "c2"])).status_code == 201


async def test_after_close_a_new_ballot_is_refused_and_a_repeat_is_answered(voting: Voting) -> None:
    closes = datetime.now(UTC) + timedelta(seconds=4)
    await voting.add_round(round_message(rules_text(closes=closes.replace(microsecond=0))))
    early, late = voting.citizen(), voting.citizen()
    await early.sign_in()
    await late.sign_in()
    ballot_id = str(uuid4())
    first = await early.vote(["c1"], ballot_id)
    assert first.status_code == 201
    await asyncio.sleep(max(0.0, (closes - datetime.now(UTC)).total_seconds()) + 0.1)
    again = await early.vote(["c1"], ballot_id)
    assert (again.status_code, again.json()) == (200, first.json())
    assert (await early.vote(["c2"], ballot_id)).json()["reason"] == "ballot_id_reused"
    refused = await late.vote(["c1"])
    assert (refused.status_code, refused.json()["reason"]) == (403, "window_closed")
    assert "closes_at" in refused.json()


async def test_before_the_opening_moment_nobody_votes(voting: Voting) -> None:
    opens = datetime.now(UTC) + timedelta(hours=1)
    message = round_message(rules_text(opens=opens, closes=opens + timedelta(hours=1)))
    await voting.add_round(message)
    citizen = voting.citizen()
    await citizen.sign_in()
    answer = await citizen.vote(["c1"])
    assert (answer.status_code, answer.json()["reason"]) == (403, "window_closed")


async def test_a_hundred_at_once_and_each_person_counts_once(open_round: Voting) -> None:
    citizens = [open_round.citizen() for _ in range(20)]
    for citizen in citizens:
        await citizen.sign_in()
    answers = await asyncio.gather(*(citizen.vote(["c1"]) for citizen in citizens for _ in range(5)))
    words = Counter(answer.json().get("reason", answer.status_code) for answer in answers)
    assert words == {201: 20, "already_voted": 80}
    assert await open_round.context.pool.fetchval("SELECT count(*) FROM ballots") == 20


async def test_a_body_over_eight_kibibytes_is_refused(open_round: Voting) -> None:
    citizen = open_round.citizen()
    await citizen.sign_in()
    answer = await citizen.vote(["c1"], altcha="x" * 9000)
    assert (answer.status_code, answer.json()["reason"]) == (413, "body_too_large")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"ballot_id": "no", "choices": []}', b"\xff\xfe"])
async def test_a_body_that_is_no_ballot_is_a_bad_ballot(open_round: Voting, body: bytes) -> None:
    citizen = open_round.citizen()
    await citizen.sign_in()
    headers = {"authorization": f"Bearer {citizen.token}"}
    answer = await open_round.http.post("/api/voting/v1/rounds/small/ballots", content=body, headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (422, "bad_ballot")
