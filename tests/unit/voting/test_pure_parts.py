"""Tokens, receipts, orders, the ballot rule, devices and the in-process limits: no I/O."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.voting import local_limits
from services.voting.ballot import BallotRule, Choice
from services.voting.challenges import Challenges
from services.voting.devices import COOKIE, Devices
from services.voting.entry import Entry
from services.voting.local_limits import LocalLimits
from services.voting.orders import ORDERS, balanced_orders
from services.voting.reasons import Reason
from services.voting.receipts import parse_receipt, receipt_text
from services.voting.settings import Limits
from services.voting.shards import Decision, join, split
from services.voting.voter_token import VoterToken, VoterTokens
from tests.support.entries import entry

TOKEN = VoterToken(7, b"v" * 16, 0, "sms", "五华区", 2_000_000_000)


def test_a_token_says_what_was_signed() -> None:
    tokens = VoterTokens(b"k" * 32)
    assert tokens.verify(tokens.sign(TOKEN), 1_900_000_000) == TOKEN


@given(station=st.integers(1, 2**31 - 1), stratum=st.text(max_size=10))
def test_a_token_of_a_station_carries_its_number(station: int, stratum: str) -> None:
    tokens = VoterTokens(b"k" * 32)
    assisted = VoterToken(7, b"v" * 16, 1, "station", stratum, 2_000_000_000, station)
    assert tokens.verify(tokens.sign(assisted), 1_900_000_000) == assisted


def test_an_expired_token_is_none() -> None:
    tokens = VoterTokens(b"k" * 32)
    assert tokens.verify(tokens.sign(TOKEN), TOKEN.expires) is None


@given(place=st.integers(0, 70), letter=st.sampled_from("ABCxyz019-_"))
def test_a_changed_token_is_none(place: int, letter: str) -> None:
    tokens = VoterTokens(b"k" * 32)
    text = tokens.sign(TOKEN)
    place %= len(text)
    changed = text[:place] + letter + text[place + 1 :]
    found = tokens.verify(changed, 1_900_000_000)
    assert found is None or changed == text or found == TOKEN  # the last letter has spare bits


@given(st.text(max_size=500))
def test_any_text_as_token_is_none_and_no_error(text: str) -> None:
    assert VoterTokens(b"k" * 32).verify(text, 0) is None


@given(st.binary(min_size=12, max_size=12))
def test_a_receipt_is_read_back_in_any_spelling(raw: bytes) -> None:
    text = receipt_text(raw)
    assert len(text) == 20
    spelled = "-".join(text[i : i + 5] for i in range(0, 20, 5)).lower().replace("0", "o").replace("1", "l")
    assert parse_receipt(text) == parse_receipt(spelled) == raw


@given(st.text(max_size=40))
def test_any_text_as_receipt_is_none_or_a_receipt(text: str) -> None:
    raw = parse_receipt(text)
    assert raw is None or len(raw) == 12


@pytest.mark.parametrize("count", [1, 2, 6, 42, 200])
def test_there_are_64_orders_and_each_names_everybody_once(count: int) -> None:
    orders = balanced_orders(count)
    assert len(orders) == ORDERS
    assert all(sorted(order) == list(range(count)) for order in orders)


@pytest.mark.parametrize("count", [32, 42, 64])
def test_no_candidate_is_favoured_by_its_places(count: int) -> None:
    """Over the 64 orders everybody's mean place is the middle, and the first page is shared about equally."""
    orders = balanced_orders(count)
    places: dict[int, list[int]] = {k: [order.index(k) for order in orders] for k in range(count)}
    means = [sum(found) / ORDERS for found in places.values()]
    assert max(means) - min(means) < 0.01 * count
    top = Counter(candidate for order in orders for candidate in order[: count // 4])
    assert max(top.values()) - min(top.values()) <= 4


RULE = BallotRule(
    2, 4, 2, 2,
    {f"c{k}": Choice(k, f"g{k % 2}", f"h{k % 3}") for k in range(1, 7)}
    | {"gone": Choice(9, "g0", "h0", datetime(2026, 1, 1, tzinfo=UTC))},
)  # fmt: skip


@pytest.mark.parametrize(
    ("choices", "part"),
    [
        (["c1"], "at least 2"),
        (["c1", "c2", "c3", "c4", "c5"], "at most 4"),
        (["c1", "c1"], "twice"),
        (["c1", "x"], "not a candidate"),
        (["c1", "gone"], "withdrawn"),
        (["c1", "c3", "c5"], "one group"),
        (["c1", "c4"], "at least 2 channels"),
    ],
)
def test_the_ballot_rule_says_what_is_wrong(choices: list[str], part: str) -> None:
    problem = RULE.check(choices)
    assert isinstance(problem, str)
    assert part in problem


def test_a_ballot_within_the_rule_has_no_problem() -> None:
    assert RULE.check(["c4", "c1", "c3", "c2"]) == (1, 2, 3, 4)


def test_a_device_cookie_is_known_again_and_a_forged_one_is_not() -> None:
    devices = Devices(b"d" * 32)
    cookie = devices.make()
    assert devices.identify(f"lang=zh; {COOKIE}={cookie}; other=1".encode()) == devices.read(cookie) is not None
    assert devices.identify(f"not_{COOKIE}={cookie}".encode()) is None
    assert devices.identify(b"") is None
    assert Devices(b"e" * 32).read(cookie) is None
    assert devices.read("…") is None


def test_a_challenge_belongs_to_its_round() -> None:
    from services.cli.people import solve

    challenges = Challenges(b"s" * 32, cost=1, tries_max=4, lifetime_s=60)
    solution = solve(challenges.make("here"))
    assert challenges.verify(solution, "here")
    assert challenges.verify(solution, "elsewhere") is None
    assert Challenges(b"t" * 32, cost=1, tries_max=4, lifetime_s=60).verify(solution, "here") is None


@given(st.text(max_size=300))
def test_any_text_as_solution_is_none(text: str) -> None:
    assert Challenges(b"s" * 32, cost=1, tries_max=4, lifetime_s=60).verify(text, "r") is None


def _visitor(voter: str = "v", challenge: str = "") -> Entry:
    return entry(voter_key=voter.encode().rjust(16), address=b"address1", challenge=challenge)


def decide(limits: LocalLimits, visitor: Entry, now_us: int) -> Decision:
    """What stands in for a round's only shard."""
    (call,) = split([visitor], [], shards=1).values()
    (decision,) = join(1, [(call, limits.answer(call, [visitor], now_us))])
    return decision


def test_local_limits_stop_one_person_and_not_an_address_that_solves() -> None:
    limits = LocalLimits(Limits(voter=3, device=1000, address=1, verified=0), workers=1)
    decisions = [decide(limits, _visitor(challenge="x"), 1_000_000) for _ in range(5)]
    assert decisions == [None, None, None, Reason.TOO_MANY_ATTEMPTS, Reason.TOO_MANY_ATTEMPTS]
    many = [decide(limits, _visitor(voter=f"p{k}"), 1_000_000) for k in range(60)]
    assert Reason.CHALLENGE_REQUIRED in many
    assert decide(limits, _visitor(voter="q", challenge="x"), 1_000_000) is None


def test_local_limits_without_an_end_remember_nobody() -> None:
    """So many a minute that a single one weighs nothing: there is nothing to remember, and nothing to trip over."""
    limits = LocalLimits(Limits(voter=10**9, device=10**9, address=10**9, verified=0), workers=1)
    assert [decide(limits, _visitor(), 0) for _ in range(3)] == [None] * 3


def test_local_limits_recover_with_time() -> None:
    limits = LocalLimits(Limits(voter=1, device=10, address=1000, verified=0), workers=1)
    assert decide(limits, _visitor(), 0) is None
    assert decide(limits, _visitor(), 1_000_000) is Reason.TOO_MANY_ATTEMPTS
    assert decide(limits, _visitor(), 61_000_000) is None


def test_local_limits_forget_what_weighs_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each person leaves something behind, of which a minute later nothing is left; never more than so many at once."""
    limits = LocalLimits(Limits(voter=1, device=10, address=1000, verified=0), workers=1)
    for k in range(100):
        assert decide(limits, _visitor(voter=f"p{k}"), 0) is None
    known = len(limits._arrivals)
    assert known > 100
    assert decide(limits, _visitor(voter="p7"), 59_000_000) is Reason.TOO_MANY_ATTEMPTS
    for k in range(100):
        assert decide(limits, _visitor(voter=f"q{k}"), 61_000_000) is None
    assert len(limits._arrivals) == known
    monkeypatch.setattr(local_limits, "_LOCAL_KEYS_MAX", known)
    assert decide(limits, _visitor(voter="r"), 61_000_000) is None
    assert len(limits._arrivals) == known
