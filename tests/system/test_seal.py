"""Sealing cannot race: what was received in time and committed in the grace counts, later ballots change nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import asyncpg
import httpx

from services.cli.client import Client
from services.cli.embedded.processes import group_members
from services.cli.people import VOTING
from services.voting.tally import LOCK_CLASS
from tests.support.waiting import wait_until
from tests.system.town import Town, Voter

OPEN_S = 4


@asynccontextmanager
async def ledger_held(town: Town, round_id: str) -> AsyncIterator[None]:
    """No batch of this round commits meanwhile, as if PostgreSQL were slow for a moment."""
    number = await town.round_number(round_id)
    connection = await asyncpg.connect(town.platform.environment["VOTING_DATABASE_URL"])
    try:
        await connection.execute("SELECT pg_advisory_lock($1, $2)", LOCK_CLASS, number)
        yield
    finally:
        await connection.close()


async def closes(town: Town, round_id: str) -> datetime:
    facts = (await town.http.get(f"{VOTING}/rounds/{round_id}")).json()
    return datetime.fromisoformat(facts["windows"]["voting"]["closes"])


async def until_closed(town: Town, round_id: str) -> None:
    async def is_closed() -> bool:
        return await town.state(round_id) in ("closed", "sealed")

    await wait_until(is_closed, 15, f"{round_id} closes")


async def sealed(town: Town, round_id: str) -> dict[str, int]:
    """The tally's own counts once it is sealed: ballots, and votes by candidate."""

    async def is_sealed() -> bool:
        return await town.state(round_id) == "sealed"

    await wait_until(is_sealed, 20, f"{round_id} is sealed")
    (row,) = await town.ask(
        "voting",
        "SELECT content FROM tallies WHERE round_number = (SELECT number FROM rounds WHERE round = $1)",
        round_id,
    )
    content = json.loads(row["content"])
    return {"ballots": content["ballots"]} | {each["candidate"]: each["votes"] for each in content["counts"]}


async def test_a_ballot_received_before_the_close_and_committed_in_the_grace_counts(town: Town) -> None:
    await town.load_round("grace", OPEN_S, grace_s=3)
    (voter,) = await town.voters("grace", ["c1"], 1)
    # A ballot that waits for longer than the ledger's time is answered 503: this one waits from here past the close.
    left = await closes(town, "grace") - datetime.now(UTC)
    await asyncio.sleep(max(0.0, left.total_seconds() - 1.5))
    async with ledger_held(town, "grace"):
        sending = asyncio.create_task(voter.send(town.http, "grace"))
        await until_closed(town, "grace")
        assert not sending.done()
    answer = await sending
    assert answer is not None
    assert answer.status_code == 201
    assert datetime.fromisoformat(answer.json()["recorded_at"]) > await closes(town, "grace")
    assert (await sealed(town, "grace")) == {"ballots": 1, "c1": 1, "c2": 0, "c3": 0, "c4": 0}
    await town.check_audit()


async def begin_ballot(town: Town, round_id: str, voter: Voter) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A ballot whose head has arrived and whose last byte has not."""
    at = urlsplit(town.platform.urls["voting"])
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    body = json.dumps({"ballot_id": voter.ballot_id, "choices": voter.choices}).encode()
    writer.write(
        f"POST {VOTING}/rounds/{round_id}/ballots HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {voter.token}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        + body[:-1]
    )
    await writer.drain()
    return reader, writer


async def test_a_worker_stopped_across_the_seal_cannot_change_the_tally(town: Town) -> None:
    """Eight ballots are in the hands of two workers at the close; one worker stands still until after the seal."""
    await town.load_round("stopped", OPEN_S, grace_s=1)
    in_time = await town.vote("stopped", ["c2"], 5)
    late = await town.voters("stopped", ["c1"], 8)
    hanging = [await begin_ballot(town, "stopped", voter) for voter in late]
    parent = town.platform.processes["voting"].pid
    assert parent is not None
    victim = next(record.pid for record in group_members(parent) if record.pid != parent)
    deadline = await closes(town, "stopped")
    await wait_until(lambda: seconds_left(deadline) < 0.5, 10, "the close is near")
    os.kill(victim, signal.SIGSTOP)
    try:
        await wait_until(lambda: seal_by_hand(town, "stopped"), 15, "the tally is sealed")
    finally:
        os.kill(victim, signal.SIGCONT)
    for reader, writer in hanging:
        writer.write(b"}")
        head = (await asyncio.wait_for(reader.read(), 15)).split(b"\r\n")[0]
        assert head.split(b" ")[1] == b"503", head
        writer.close()
    assert (await sealed(town, "stopped")) == {"ballots": 5, "c1": 0, "c2": 5, "c3": 0, "c4": 0}
    assert (await town.ledger("stopped")).keys() == {voter.ballot_id for voter in in_time}
    await town.check_audit()


def seconds_left(until: datetime) -> float:
    return (until - datetime.now(UTC)).total_seconds()


async def seal_by_hand(town: Town, round_id: str) -> bool:
    """An administrator's seal; the elected worker, which seals by itself, may be the one that stands still."""
    headers = {"authorization": f"Bearer {Client(town.platform.environment).token('platform')}"}
    # A connection of its own: one that Caddy keeps may lead to the worker that stands still.
    async with httpx.AsyncClient(base_url=town.platform.urls["voting"], timeout=2, trust_env=False) as fresh:
        try:
            answer = await fresh.post(f"{VOTING}/rounds/{round_id}/seal", headers=headers)
        except httpx.HTTPError:
            return False
    return answer.status_code == 200 or answer.json()["reason"] == "already_sealed"


async def test_after_the_seal_a_repeat_is_answered_and_a_new_ballot_is_not(town: Town) -> None:
    await town.load_round("after", OPEN_S, grace_s=1)
    (early,) = await town.vote("after", ["c1"], 1)
    (late,) = await town.voters("after", ["c1"], 1)
    await sealed(town, "after")
    again = await early.send(town.http, "after")
    assert again is not None
    assert again.status_code == 200
    refused = await late.send(town.http, "after")
    assert refused is not None
    assert (refused.status_code, refused.json()["reason"]) == (403, "window_closed")
