"""The corrected clock: a machine whose time is set moves no window, a slow answer moves it no further than it must."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from services.shared.clock import Clock

NOW = 1_800_000_000.0


class Times:
    """This machine's two clocks and PostgreSQL's, whose answers take `round_trip_s`."""

    def __init__(self) -> None:
        self.wall, self.monotonic, self.theirs, self.round_trip_s = NOW, 500.0, NOW, 0.0

    def pass_by(self, seconds: float) -> None:
        self.wall, self.monotonic, self.theirs = self.wall + seconds, self.monotonic + seconds, self.theirs + seconds

    async def fetchval(self, _: str) -> datetime:
        answer = datetime.fromtimestamp(self.theirs, UTC)
        self.pass_by(self.round_trip_s)
        return answer


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    made = Times()
    monkeypatch.setattr(time, "time", lambda: made.wall)
    monkeypatch.setattr(time, "monotonic", lambda: made.monotonic)
    return made


async def _measure(clock: Clock, times: Any) -> float:
    return await clock.measure(times)


async def test_the_offset_is_added_and_more_than_a_second_is_not_trusted(times: Times) -> None:
    clock = Clock()
    assert not clock.trustworthy
    times.theirs += 0.6
    assert await _measure(clock, times) == pytest.approx(0.6)
    assert clock.trustworthy
    assert clock.timestamp() == pytest.approx(NOW + 0.6)
    times.theirs += 0.6
    await _measure(clock, times)
    assert not clock.trustworthy


@pytest.mark.parametrize("hour_s", [3600.0, -3600.0])
async def test_a_clock_that_is_set_moves_nothing_and_is_not_trusted_until_it_is_right(
    times: Times, hour_s: float
) -> None:
    clock = Clock()
    await _measure(clock, times)
    times.wall += hour_s
    times.pass_by(2.0)
    assert not clock.trustworthy
    assert clock.timestamp() == pytest.approx(NOW + 2.0)
    await _measure(clock, times)
    assert not clock.trustworthy
    assert clock.timestamp() == pytest.approx(NOW + 2.0)
    times.wall -= hour_s
    await _measure(clock, times)
    assert clock.trustworthy
    assert clock.now() == datetime.fromtimestamp(NOW + 2.0, UTC)


async def test_a_slow_answer_keeps_what_was_known_as_far_as_it_fits(times: Times) -> None:
    clock = Clock()
    await _measure(clock, times)
    times.round_trip_s = 1.8
    await _measure(clock, times)
    # Half of the round trip would put the clock 0.9 s back.
    assert clock.offset_s == pytest.approx(0.0)
    times.theirs += 5.0
    await _measure(clock, times)
    # The truth lies between 5.0 − 1.8 and 5.0 s ahead: only as far as that.
    assert clock.offset_s == pytest.approx(3.2)
