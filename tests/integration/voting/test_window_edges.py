"""The edges of the window: half-open, decided by the receive time alone, with days in the round's own zone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.cli.people import Citizen
from services.shared.clock import Clock
from services.shared.errors import Refusal
from services.voting import tally
from services.voting.rounds import FrozenRound
from tests.integration.voting.conftest import Voting
from tests.support.rounds import round_message, rules_text
from tests.support.waiting import wait_until

SHANGHAI = ZoneInfo("Asia/Shanghai")
OPENS = datetime(2026, 11, 1, 9, tzinfo=SHANGHAI)
CLOSES = datetime(2026, 11, 3, 12, tzinfo=SHANGHAI)
TICK = timedelta(microseconds=1)


class SetClock(Clock):
    """Stands where a test puts it."""

    at = OPENS

    def now(self) -> datetime:
        return self.at.astimezone(UTC)

    def timestamp(self) -> float:
        return self.at.timestamp()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


async def _citizen(voting: Voting) -> Citizen:
    citizen = voting.citizen()
    await citizen.sign_in()
    return citizen


def _round(voting: Voting) -> FrozenRound:
    found = voting.context.rounds.get("small")
    assert found is not None
    return found


async def _open_round(voting: Voting, ballot: str = "", grace_s: int = 30) -> None:
    rule = f"choices_min = 1\nchoices_max = 3\n{ballot}"
    await voting.add_round(round_message(rules_text(opens=OPENS, closes=CLOSES, ballot=rule, grace_s=grace_s)))


@pytest.mark.parametrize(
    ("at", "answer"),
    [
        (OPENS - TICK, "window_closed"),
        (OPENS, 201),
        (CLOSES - TICK, 201),
        (CLOSES, "window_closed"),
    ],
)
async def test_the_window_holds_its_first_moment_and_not_its_last(
    voting: Voting, clock: SetClock, at: datetime, answer: str | int
) -> None:
    await _open_round(voting)
    clock.at = at
    citizen = await _citizen(voting)
    got = await citizen.vote(["c1"])
    assert got.json().get("reason", got.status_code) == answer
    if answer == 201:
        assert await voting.context.pool.fetchval("SELECT received_at FROM ballots") == at


async def test_received_before_the_close_and_committed_within_the_grace_counts(voting: Voting, clock: SetClock) -> None:
    await _open_round(voting)
    clock.at = CLOSES - TICK
    citizen, late = await _citizen(voting), await _citizen(voting)
    blocker = await asyncpg.connect(voting.database.owner_url)
    await blocker.execute("SELECT pg_advisory_lock($1, $2)", tally.LOCK_CLASS, _round(voting).number)
    voting_now = asyncio.create_task(citizen.vote(["c1"]))

    async def waiting_in_the_ledger() -> bool:
        return bool(
            await voting.context.pool.fetchval(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database ="
                " (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        )

    await wait_until(waiting_in_the_ledger, 10, "the batch waits for the round's lock")
    clock.at = CLOSES + timedelta(seconds=1)
    with pytest.raises(Refusal, match="grace_running"):
        await tally.seal_round(voting.context.pool, _round(voting), voting.context.tally_key, clock.at, "early")
    await blocker.close()
    assert (await voting_now).status_code == 201
    assert (await late.vote(["c2"])).json()["reason"] == "window_closed"
    content = await tally.seal_round(
        voting.context.pool, _round(voting), voting.context.tally_key, CLOSES + timedelta(seconds=30), "on time"
    )
    assert content.ballots == 1


async def test_by_day_midnight_in_the_rounds_zone_begins_a_new_ballot(voting: Voting, clock: SetClock) -> None:
    await _open_round(voting, 'per = "day"\n')
    midnight = datetime(2026, 11, 2, tzinfo=SHANGHAI)
    clock.at = midnight - TICK
    citizen = await _citizen(voting)
    assert (await citizen.vote(["c1"])).status_code == 201
    assert (await citizen.vote(["c2"])).json()["reason"] == "already_voted"
    clock.at = midnight
    assert (await citizen.vote(["c2"])).status_code == 201
    assert (await citizen.vote(["c3"])).json()["reason"] == "already_voted"
    periods = await voting.context.pool.fetch("SELECT period FROM ballots ORDER BY period")
    assert [row["period"] for row in periods] == [20261101, 20261102]


async def test_the_same_ballot_before_and_after_midnight_is_one_ballot(voting: Voting, clock: SetClock) -> None:
    await _open_round(voting, 'per = "day"\n')
    midnight = datetime(2026, 11, 2, tzinfo=SHANGHAI)
    clock.at = midnight - TICK
    citizen, ballot_id = await _citizen(voting), str(uuid4())
    first = await citizen.vote(["c1"], ballot_id)
    clock.at = midnight + TICK
    again = await citizen.vote(["c1"], ballot_id)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert (await citizen.vote(["c2"], ballot_id)).json()["reason"] == "ballot_id_reused"
    assert await voting.context.pool.fetchval("SELECT count(*) FROM ballots") == 1


async def test_other_zones_midnights_mean_nothing(voting: Voting, clock: SetClock) -> None:
    await _open_round(voting, 'per = "day"\n')
    utc_midnight = datetime(2026, 11, 2, tzinfo=UTC)
    clock.at = utc_midnight - TICK
    citizen = await _citizen(voting)
    assert (await citizen.vote(["c1"])).status_code == 201
    clock.at = utc_midnight
    assert (await citizen.vote(["c2"])).json()["reason"] == "already_voted"


async def test_a_repeat_after_midnight_takes_nothing_of_the_new_day(voting: Voting, clock: SetClock) -> None:
    await _open_round(voting, 'per = "day"\n')
    clock.at = datetime(2026, 11, 2, tzinfo=SHANGHAI) - TICK
    citizen, ballot_id = await _citizen(voting), str(uuid4())
    await citizen.vote(["c1"], ballot_id)
    clock.at += 2 * TICK
    assert (await citizen.vote(["c1"], ballot_id)).status_code == 200
    # The second request after the repeat meets whatever the turnstile was told by it.
    assert (await citizen.vote(["c2"])).status_code == 201
