"""The outage rule on a running service: heartbeats, the extension, and the seal that waits for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from services.cli.audit import violations
from services.shared.clock import Clock
from services.shared.errors import Refusal
from services.shared.messages import RoundMessage, WindowMessage, decode
from services.voting import outage_store, tally
from services.voting.extensions import Extender
from services.voting.outage import Minute
from services.voting.rounds import FrozenRound
from tests.integration.voting.conftest import Voting
from tests.support.rounds import round_message, rules_text
from tests.support.waiting import wait_until

OUTAGE = '[outage]\nsuccess_below = "0.9"\nfor_minutes = 10\nwithin_last_hours = 1\nextend_minutes = 120\n'
MINUTE = timedelta(minutes=1)


class LateClock(Clock):
    """The true time and as much more as a test says."""

    ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def timestamp(self) -> float:
        return self.now().timestamp()


@pytest.fixture
def clock() -> LateClock:
    return LateClock()


def _message(minutes_left: int, outage: str = OUTAGE) -> RoundMessage:
    """A round that was frozen now and opened half an hour ago: nothing before now is judged."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    return round_message(
        rules_text(opens=now - 30 * MINUTE, closes=now + minutes_left * MINUTE, more=outage), version=1
    )


async def _watch_from_the_opening(voting: Voting, message: RoundMessage) -> None:
    """The same round as if it had been frozen, and watched, before it opened."""
    await voting.add_round(
        msgspec.structs.replace(message, version=2, frozen_at=message.frozen_at - timedelta(hours=2))
    )


def _round(voting: Voting) -> FrozenRound:
    found = voting.context.rounds.get("small")
    assert found is not None
    return found


async def _fill(voting: Voting, message: RoundMessage, bad: range, seen: Minute | None) -> None:
    """Heartbeats by hand: all minutes since the opening good, those in `bad` as `seen` (None: missing)."""
    opens = _round(voting).opens
    assert opens is not None
    for back in range(1, 31):
        at = opens + (30 - back) * MINUTE
        minute = seen if back in bad else Minute(answered=50)
        if minute is not None:
            await voting.context.pool.execute(
                "INSERT INTO heartbeats (round_number, minute, worker, answered, failed, codes_sent, codes_unsent)"
                " VALUES ($1, $2, $3, $4, $5, 0, 0)",
                _round(voting).number, at, uuid4(), minute.answered, minute.failed,
            )  # fmt: skip


async def _extended(voting: Voting) -> bool:
    return len(_round(voting).extensions) == 1


@pytest.mark.parametrize("seen", [None, Minute(answered=8, failed=2)])
async def test_ten_failed_minutes_extend_the_window_and_everybody_is_told(voting: Voting, seen: Minute | None) -> None:
    message = _message(minutes_left=5)
    await voting.add_round(message)
    await _fill(voting, message, range(11, 21), seen)
    closed_before = _round(voting).closes
    assert closed_before is not None
    await _watch_from_the_opening(voting, message)
    await wait_until(lambda: _extended(voting), 10, "the window is extended")
    facts: dict[str, Any] = (await voting.http.get("/api/voting/v1/rounds/small")).json()
    assert datetime.fromisoformat(facts["windows"]["voting"]["closes"]) == closed_before + timedelta(minutes=120)
    assert [event["event"] for event in facts["events"]] == ["extension"]
    pages = {lang: (await voting.http.get(f"/rounds/small?lang={lang}")).text for lang in ("zh", "en")}
    assert ("未能正常受理" in pages["zh"], "未能正常受理" in pages["en"]) == (True, False)
    assert "the service did not take votes" in pages["en"]
    body = await voting.context.pool.fetchval("SELECT body FROM outbox WHERE stream = 'voting.windows'")
    told = decode(body)
    assert isinstance(told, WindowMessage)
    assert (told.version, told.closes_at) == (1, closed_before + timedelta(minutes=120))
    assert told.event.detail == facts["events"][0]["detail"]
    assert await violations({"voting": voting.database.app_url}) == []


async def test_nine_minutes_extend_nothing(voting: Voting) -> None:
    message = _message(minutes_left=5)
    await voting.add_round(message)
    await _fill(voting, message, range(11, 20), None)
    await _watch_from_the_opening(voting, message)
    assert await Extender(voting.context.pool, voting.context.rounds).extend_once(datetime.now(UTC)) == 0
    assert _round(voting).extensions == ()


async def test_without_the_rule_nothing_is_extended_and_nothing_written(voting: Voting, clock: LateClock) -> None:
    message = _message(minutes_left=5, outage="")
    await voting.add_round(message)
    await _watch_from_the_opening(voting, message)
    clock.ahead = MINUTE
    await voting.context.pulse.beat_once(voting.context.pool, voting.context.rounds, clock)
    assert await voting.context.pool.fetchval("SELECT count(*) FROM heartbeats") == 0
    assert _round(voting).extensions == ()


async def test_a_window_that_ended_in_an_outage_opens_again_before_anything_is_sealed(voting: Voting) -> None:
    message = _message(minutes_left=-2)
    await voting.add_round(msgspec.structs.replace(message, frozen_at=message.frozen_at - timedelta(hours=2)))
    await wait_until(lambda: _extended(voting), 10, "the window is extended")
    assert _round(voting).sealed_at is None
    citizen = voting.citizen()
    await citizen.sign_in()
    assert (await citizen.vote(["c1"])).status_code == 201


async def test_a_round_closed_by_hand_is_not_extended(voting: Voting) -> None:
    message = _message(minutes_left=5)
    early = message.frozen_at - timedelta(minutes=3)
    await voting.add_round(
        msgspec.structs.replace(message, closed_early_at=early, frozen_at=message.frozen_at - timedelta(hours=2))
    )

    async def sealed() -> bool:
        return _round(voting).sealed_at is not None

    await wait_until(sealed, 10, "the tally is sealed")
    assert _round(voting).extensions == ()


async def test_the_seal_looks_at_the_newest_end_and_carries_the_event(voting: Voting, clock: LateClock) -> None:
    message = _message(minutes_left=5)
    await voting.add_round(message)
    stale = _round(voting)
    await _fill(voting, message, range(11, 21), None)
    await _watch_from_the_opening(voting, message)
    await wait_until(lambda: _extended(voting), 10, "the window is extended")
    context = voting.context
    with pytest.raises(Refusal, match="window_open"):
        await tally.seal_round(context.pool, stale, context.tally_key, clock.now() + timedelta(hours=1), "late")
    async with context.pool.acquire() as connection:
        content = await tally.count(connection, _round(voting))
    assert [event.event for event in content.events] == ["extension"]


async def test_a_worker_writes_who_was_answered_and_what_could_not_be_sent(voting: Voting, clock: LateClock) -> None:
    await voting.add_round(_message(minutes_left=30))
    citizen, other = voting.citizen(), voting.citizen()
    await citizen.sign_in()
    await other.sign_in()
    for _ in range(3):
        await citizen.vote(["c1"])
    other.token = "A" * 60
    await other.vote(["c1"])
    for _ in range(3):
        voting.context.pulse.note_code(_round(voting).number, b"a number", sent=False)
    clock.ahead = MINUTE

    async def written() -> bool:
        return bool(await voting.context.pool.fetchval("SELECT sum(answered) > 0 FROM heartbeats"))

    await wait_until(written, 10, "the heartbeat is written")
    now = datetime.now(UTC)
    seen = await outage_store.minutes(voting.context.pool, _round(voting).number, now - 5 * MINUTE, now + 5 * MINUTE)
    total = [sum(getattr(each, name) for each in seen.values()) for name in Minute.__struct_fields__]
    # One person voted, whatever the number of requests; who has no genuine token is nobody. Numbers count once too.
    assert total == [1, 0, 2, 1]


async def test_who_was_turned_away_with_a_genuine_token_failed(voting: Voting, clock: LateClock) -> None:
    await voting.add_round(_message(minutes_left=30))
    citizen = voting.citizen()
    await citizen.sign_in()
    clock.offset_s = 5.0
    assert (await citizen.vote(["c1"])).json()["reason"] == "overloaded"
    citizen.token = ""
    assert (await citizen.vote(["c1"])).json()["reason"] == "overloaded"
    people = voting.context.pulse._people[_round(voting).number]
    assert list(people.values()) == [False]


async def test_a_heartbeat_that_comes_late_is_left_out(voting: Voting) -> None:
    await voting.add_round(_message(minutes_left=30))
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    for late in (4, 1):
        await outage_store.add_heartbeats(
            voting.context.pool, uuid4(), minute - late * MINUTE, {_round(voting).number: Minute(1)}
        )
    found = await voting.context.pool.fetch("SELECT minute FROM heartbeats WHERE answered = 1")
    assert [row["minute"] for row in found] == [minute - MINUTE]
