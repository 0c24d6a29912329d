"""What the soak calls flat: each figure has its bound, Valkey grows by what it remembers, no ballot is missing."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from loadtests.bench.fixed_rate import FixedRate
from loadtests.soak import Slice, holds, trends

PER_SLICE = 25_000
Change = Callable[[int, Slice], Slice]


def steady(number: int) -> Slice:
    """The n-th of forty slices of a run in which nothing grows but what Valkey remembers, 200 bytes a ballot."""
    ballots = PER_SLICE * (number + 1)
    return Slice(
        ballots=ballots,
        answers=FixedRate(PER_SLICE, PER_SLICE, 0, 4.0, 20.0, 1.0),
        cpu_us_per_ballot={"voting": 230.0, "postgres": 150.0, "valkey": 40.0},
        memory_mb={"voting": 150.0, "postgres": 110.0, "valkey": ballots * 200 / 1024**2},
        tally_lag_entries=500,
        tally_lag_s=0.5,
        stream_lag_entries=0,
        stream_lag_s=1.0,
    )


def grown(change: Change) -> list[str]:
    """Names of what grew in forty steady slices that were changed so."""
    judged = trends([change(number, steady(number)) for number in range(40)], per_second=1000)
    assert len(judged) == 12
    return [each.name for each in judged if not each.flat]


def test_a_steady_run_is_flat() -> None:
    assert grown(lambda _, each: each) == []


def test_the_first_quarter_is_not_judged() -> None:
    """Caches fill up then, and followers start."""
    early = {"voting": 10.0, "postgres": 10.0, "valkey": 1.0}

    def change(number: int, each: Slice) -> Slice:
        return msgspec.structs.replace(each, memory_mb=early, tally_lag_s=9.0) if number < 10 else each

    assert grown(change) == []


@pytest.mark.parametrize(
    ("field", "part", "amount_per_slice", "name"),
    [
        ("memory_mb", "voting", 1.0, "memory of voting"),
        ("memory_mb", "valkey", 12.0, "memory of valkey"),
        ("cpu_us_per_ballot", "postgres", 6.0, "CPU of postgres per ballot"),
        ("answers", "p50_ms", 0.2, "latency p50_ms"),
        ("answers", "p99_ms", 3.0, "latency p99_ms"),
        ("tally_lag_entries", "", 150, "tally lag entries"),
        ("tally_lag_s", "", 0.1, "tally lag s"),
        ("stream_lag_s", "", 0.1, "stream lag s"),
    ],
)
def test_what_grows_is_told_by_name(field: str, part: str, amount_per_slice: float, name: str) -> None:
    def change(number: int, each: Slice) -> Slice:
        value, more = getattr(each, field), amount_per_slice * number
        if isinstance(value, dict):
            return msgspec.structs.replace(each, **{field: {**value, part: value[part] + more}})
        if isinstance(value, FixedRate):
            value = msgspec.structs.replace(value, **{part: getattr(value, part) + more})
            return msgspec.structs.replace(each, answers=value)
        return msgspec.structs.replace(each, **{field: value + more})

    assert grown(change) == [name]


def test_a_follower_that_was_too_far_behind_once_is_told() -> None:
    assert grown(lambda n, each: msgspec.structs.replace(each, tally_lag_s=6.0) if n == 20 else each) == ["tally lag s"]


@pytest.mark.parametrize("name", ["acknowledged", "recorded", "counted", "invariants_broken"])
def test_no_ballot_may_be_missing(name: str) -> None:
    whole = {"sent": 9, "acknowledged": 9, "recorded": 9, "counted": 9, "invariants_broken": 0}
    assert holds(whole)
    assert not holds({**whole, name: 1})
