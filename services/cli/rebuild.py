"""`pingxuan rebuild`: what Valkey holds, made again from the databases. Nothing acknowledged ever depends on it.

Both happen by themselves, streams at once and hints one by one as people come back; these commands do it now and tell.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import asyncpg
import click

from services.cli.client import CheckFailed, CommandFailed, progress
from services.shared import messages
from services.shared.errors import PingxuanError
from services.shared.outbox import backlog, replay_key
from services.shared.postgres import connect, open_pool
from services.shared.redis_client import REDIS_FAILURES, open_redis
from services.shared.settings import environment

STREAMS = (
    messages.REGISTRY_ROUNDS, messages.REGISTRY_STAFF, messages.VOTING_TALLIES, messages.VOTING_WINDOWS,
    messages.SCORING_RANKINGS,
)  # fmt: skip
REBUILT_WITHIN_S = 60.0
Told = TypeVar("Told")
_AWAY = (*REDIS_FAILURES, asyncpg.PostgresError, asyncpg.InterfaceError)


@click.group()
def rebuild() -> None:
    """Fill Valkey again from the databases.

    \b
    Example:
      pingxuan rebuild streams
    """


@rebuild.command()
@click.argument("names", metavar="[STREAM]...", nargs=-1, type=click.Choice(STREAMS))
def streams(names: tuple[str, ...]) -> None:
    """Write streams anew from the outbox of the service that publishes them, and wait until they are whole.

    \b
    Example:
      pingxuan rebuild streams
      pingxuan rebuild streams registry.rounds
    """
    known = environment()
    for name in names or STREAMS:
        click.echo(asyncio.run(_guarded(_rebuild_stream(known, name))))


async def _rebuild_stream(known: Mapping[str, str], stream: str) -> str:
    service = stream.partition(".")[0]
    prefix = service.upper()
    redis = open_redis(_required(known, f"{prefix}_REDIS_URL"), timeout_s=5, connections_max=2, name="rebuild")
    pool = await open_pool(
        _required(known, f"{prefix}_DATABASE_URL"), size_max=1, statement_timeout_s=10, name="rebuild"
    )  # fmt: skip
    started = time.monotonic()
    try:
        await redis.set(replay_key(stream), 0)
        progress(f"waiting: {service} writing {stream} …")
        while await redis.exists(replay_key(stream)) or (state := await backlog(pool, redis, stream))["waiting"] != 0:
            if time.monotonic() - started > REBUILT_WITHIN_S:
                raise CheckFailed(f"{service} has not rebuilt {stream} within {REBUILT_WITHIN_S:.0f} s: see its log")
            await asyncio.sleep(0.1)
    finally:
        await redis.aclose()
        await pool.close()
    return f"{stream}: {state['last']} messages in {time.monotonic() - started:.1f} s"


@rebuild.command()
@click.argument("round_id", metavar="[ROUND]", required=False)
@click.option("--new-epoch", is_flag=True, help="First make every older hint count for nothing, as after a restore.")
def hints(round_id: str | None, new_epoch: bool) -> None:
    """Tell Valkey of every ballot in the ledger; of all rounds that are not sealed, unless one is named.

    After a database was put back by other means than `pingxuan restore`, say --new-epoch.

    \b
    Example:
      pingxuan rebuild hints
    """
    for line in asyncio.run(_guarded(_rebuild_hints(environment(), round_id, new_epoch))):
        click.echo(line)


async def _rebuild_hints(known: Mapping[str, str], round_id: str | None, new_epoch: bool) -> list[str]:
    from services.voting.ledger import begin_epoch
    from services.voting.rebuilding import rebuild_hints
    from services.voting.rounds import RoundBook
    from services.voting.settings import Limits
    from services.voting.turnstile import Turnstile

    if new_epoch:
        owner = await connect(_required(known, "VOTING_OWNER_DATABASE_URL"), statement_timeout_s=10, name="rebuild")
        try:
            await begin_epoch(owner)
        finally:
            await owner.close()
    pool = await open_pool(_required(known, "VOTING_DATABASE_URL"), size_max=2, statement_timeout_s=600, name="rebuild")
    redis = open_redis(_required(known, "VOTING_REDIS_URL"), timeout_s=5, connections_max=2, name="rebuild")
    # Limits are of no account here: no ballot is asked about.
    shards = int(known.get("VOTING_TURNSTILE_SHARDS") or known.get("TURNSTILE_SHARDS") or 1)
    turnstile = Turnstile(redis, Limits(1, 1, 1, 1), timeout_ms=5000, open_ms=60_000, workers=1, shards=shards)
    lines = []
    try:
        rounds = RoundBook(pool)
        await rounds.refresh()
        wanted = [each for each in rounds.all() if round_id in (None, each.id)]
        if round_id is not None and not wanted:
            raise CommandFailed(f"there is no round {round_id}: see `pingxuan rounds status`")
        for each in wanted:
            if round_id is None and each.sealed_at is not None:
                continue
            started = time.monotonic()
            written = await rebuild_hints(pool, turnstile, each)
            lines.append(f"{each.id}: {written} hints in {time.monotonic() - started:.1f} s")
    finally:
        await redis.aclose()
        await pool.close()
    return lines or ["no round is open: nothing to tell"]


async def _guarded(work: Coroutine[Any, Any, Told]) -> Told:
    try:
        return await work
    except PingxuanError as error:
        raise CommandFailed(str(error)) from None
    except _AWAY as error:
        raise CommandFailed(f"a server does not answer ({type(error).__name__}): is the platform running?") from None


def _required(known: Mapping[str, str], name: str) -> str:
    if not known.get(name):
        raise CommandFailed(f"{name} is not known: start `pingxuan up`, or set PINGXUAN_HOME to its folder")
    return known[name]
