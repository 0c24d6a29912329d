"""Challenge, code, session: every refusal of CONTRACT, and nothing that tells whether somebody voted."""

from __future__ import annotations

import asyncio

import pytest

from services.cli.people import solve
from tests.integration.voting.conftest import Voting
from tests.support.rounds import round_message, rules_text

BASE = "/api/voting/v1/rounds/small"


@pytest.fixture
async def open_round(voting: Voting) -> Voting:
    await voting.add_round(round_message(rules_text()))
    return voting


async def test_an_unknown_round_is_404_everywhere(voting: Voting) -> None:
    for path in ("", "/challenge", "/results"):
        answer = await voting.http.get(f"/api/voting/v1/rounds/nowhere{path}")
        assert (answer.status_code, answer.json()["reason"]) == (404, "unknown_round")


async def test_the_answer_is_the_same_before_and_after_voting(open_round: Voting) -> None:
    citizen = open_round.citizen()
    await citizen.sign_in()
    await citizen.vote(["c1"])
    other = open_round.citizen(phone=citizen.phone)
    other.headers = {"x-forwarded-for": "203.0.113.9"}
    again = await other.ask_code()
    assert again.status_code == 202
    assert set(again.json()) == {"request", "expires_in_s", "resend_after_s"}


async def test_a_number_that_is_no_mobile_is_refused(open_round: Voting) -> None:
    answer = await open_round.citizen(phone="12345").ask_code()
    assert (answer.status_code, answer.json()["reason"]) == (422, "bad_phone")


async def test_a_challenge_must_be_solved(open_round: Voting) -> None:
    answer = await open_round.citizen().ask_code(altcha="nonsense")
    assert (answer.status_code, answer.json()["reason"]) == (403, "challenge_failed")


async def test_a_solution_is_good_for_one_code(open_round: Voting) -> None:
    solution = solve((await open_round.http.get(f"{BASE}/challenge")).json())
    first = await open_round.citizen().ask_code(altcha=solution)
    second = await open_round.citizen().ask_code(altcha=solution)
    assert first.status_code == 202
    assert second.json()["reason"] == "challenge_failed"


async def test_a_second_code_within_a_minute_waits(open_round: Voting) -> None:
    citizen = open_round.citizen()
    await citizen.ask_code()
    second = await citizen.ask_code()
    assert (second.status_code, second.json()["reason"]) == (429, "too_many_codes")
    assert int(second.headers["retry-after"]) == second.json()["retry_after_s"] <= 61


async def test_nobody_can_use_up_anothers_codes_from_elsewhere(open_round: Voting) -> None:
    victim = open_round.citizen()
    attacker = open_round.citizen(phone=victim.phone)
    attacker.headers = {"x-forwarded-for": "198.51.100.7"}
    victim.headers = {"x-forwarded-for": "203.0.113.5"}
    await attacker.ask_code()
    assert (await victim.ask_code()).status_code == 202


@pytest.mark.parametrize("settings_changes", [{"codes_per_minute_max": 2}])
async def test_only_the_spend_breaker_pauses_codes(open_round: Voting) -> None:
    answers = [await open_round.citizen().ask_code() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 503]
    assert answers[2].json()["reason"] == "codes_paused"


async def test_wrong_codes_count_down_and_then_end_the_request(open_round: Voting) -> None:
    citizen = open_round.citizen()
    request = (await citizen.ask_code()).json()["request"]
    right = await citizen.newest_code()
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    answers = [await citizen.prove(request, wrong) for _ in range(5)]
    assert [answer.json()["attempts_left"] for answer in answers] == [4, 3, 2, 1, 0]
    assert all((answer.status_code, answer.json()["reason"]) == (403, "wrong_code") for answer in answers)
    after = await citizen.prove(request, right)
    assert (after.status_code, after.json()["reason"]) == (429, "too_many_attempts")


async def test_tries_at_once_are_counted_one_by_one(open_round: Voting) -> None:
    citizen = open_round.citizen()
    request = (await citizen.ask_code()).json()["request"]
    right = await citizen.newest_code()
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    answers = await asyncio.gather(*(citizen.prove(request, wrong) for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [403] * 5 + [429] * 7


async def test_a_code_is_good_once(open_round: Voting) -> None:
    citizen = open_round.citizen()
    request = (await citizen.ask_code()).json()["request"]
    code = await citizen.newest_code()
    assert (await citizen.prove(request, code)).status_code == 201
    second = await citizen.prove(request, code)
    assert (second.status_code, second.json()["reason"]) == (403, "code_expired")


@pytest.mark.parametrize("settings_changes", [{"code_lifetime_s": 0}])
async def test_a_code_expires(open_round: Voting) -> None:
    citizen = open_round.citizen()
    request = (await citizen.ask_code()).json()["request"]
    answer = await citizen.prove(request, await citizen.newest_code())
    assert (answer.status_code, answer.json()["reason"]) == (403, "code_expired")


async def test_a_code_belongs_to_its_request_and_phone(open_round: Voting) -> None:
    citizen, other = open_round.citizen(), open_round.citizen()
    request = (await citizen.ask_code()).json()["request"]
    code = await citizen.newest_code()
    answer = await other.prove(request, code)
    assert (answer.status_code, answer.json()["reason"]) == (403, "wrong_code")


@pytest.mark.parametrize("consent", ["", "1999-01"])
async def test_consent_names_the_version_of_the_notice(open_round: Voting, consent: str) -> None:
    citizen = open_round.citizen()
    request = (await citizen.ask_code()).json()["request"]
    answer = await citizen.prove(request, await citizen.newest_code(), consent=consent)
    assert (answer.status_code, answer.json()["reason"]) == (422, "consent_missing")


async def test_one_phone_in_two_spellings_is_one_person(open_round: Voting) -> None:
    citizen = open_round.citizen()
    await citizen.sign_in()
    assert (await citizen.vote(["c1"])).status_code == 201
    same = open_round.citizen(phone=f"+86 {citizen.phone[:3]}-{citizen.phone[3:]}")
    same.headers = {"x-forwarded-for": "203.0.113.77"}
    await same.sign_in()
    assert (await same.vote(["c2"])).json()["reason"] == "already_voted"


async def test_a_sign_in_is_for_one_round(voting: Voting) -> None:
    await voting.add_round(round_message(rules_text()))
    await voting.add_round(round_message(rules_text("other"), "other"))
    citizen = voting.citizen()
    await citizen.sign_in()
    citizen.round = "other"
    answer = await citizen.vote(["c1"])
    assert (answer.status_code, answer.json()["reason"]) == (401, "bad_token")


async def test_the_outbox_lists_codes_newest_last_at_both_addresses(open_round: Voting) -> None:
    citizen = open_round.citizen()
    await citizen.ask_code()
    for path in ("/dev/outbox", "/api/voting/v1/dev/outbox"):
        sent = (await open_round.http.post(path, json={"phone": citizen.phone})).json()
        assert [set(each) for each in sent] == [{"code", "sent_at"}]


async def test_own_choices_are_shown_to_the_phone_that_voted(open_round: Voting) -> None:
    citizen = open_round.citizen()
    headers = {"authorization": f"Bearer {await citizen.sign_in()}"}
    before = await open_round.http.get(f"{BASE}/ballots/mine", headers=headers)
    assert (before.status_code, before.json()["reason"]) == (404, "no_ballot")
    receipt = (await citizen.vote(["c2", "c1"])).json()["receipt"]
    own = (await open_round.http.get(f"{BASE}/ballots/mine", headers=headers)).json()
    assert own["choices"] == ["c1", "c2"]
    assert own["receipt"] == receipt
    assert (await open_round.http.get(f"{BASE}/ballots/mine")).json()["reason"] == "bad_token"


@pytest.mark.parametrize("settings_changes", [{"choices_shown_s": 0}])
async def test_own_choices_are_no_longer_shown_after_a_while(open_round: Voting) -> None:
    citizen = open_round.citizen()
    headers = {"authorization": f"Bearer {await citizen.sign_in()}"}
    await citizen.vote(["c1"])
    answer = await open_round.http.get(f"{BASE}/ballots/mine", headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (410, "no_longer_shown")


@pytest.mark.parametrize("receipt", ["AAAA", "0" * 20, "!!!", "Z" * 20])
async def test_an_unknown_receipt_is_404(open_round: Voting, receipt: str) -> None:
    answer = await open_round.http.get(f"/api/voting/v1/receipts/{receipt}")
    assert (answer.status_code, answer.json()["reason"]) == (404, "unknown_receipt")


async def test_a_round_is_cacheable_and_its_orders_differ(open_round: Voting) -> None:
    plain = await open_round.http.get(BASE)
    assert (await open_round.http.get(BASE, headers={"if-none-match": plain.headers["etag"]})).status_code == 304
    assert "set-cookie" not in plain.headers
    orders = [(await open_round.http.get(f"{BASE}?order={k}")).json()["candidates"] for k in (0, 1)]
    named = [[card["candidate"] for card in order] for order in orders]
    assert named[0] == list(reversed(named[1]))
    assert (await open_round.http.get(f"{BASE}?order=64")).status_code == 400
