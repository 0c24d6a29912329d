"""SQL of pools, draws, seats and letters. Called by `panel.py`, by the desk when it reads a round, and by `office/`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from services.scoring.panels.conflicts import Facts
from services.scoring.panels.drawing import Panel, PoolExpert
from services.shared.postgres import Connection, Pool

Reader = Connection | Pool
_PANEL_LOCKS = 0x7079
_POOL = "expert, fields, unit, channel, employers, partners"


@dataclass(frozen=True, slots=True)
class Draw:
    """A promised draw, and what came of it; `seed` is told to nobody before."""

    round: str
    draw: int
    commitment: str
    seed: str
    pool_digest: str
    plan: dict[str, Any]
    committed_by: str
    committed_at: datetime
    word: str = ""
    panels: tuple[Panel, ...] = ()
    drawn_by: str = ""
    drawn_at: datetime | None = None


async def hold_panel(connection: Connection, round_id: str) -> None:
    """Keep others from changing the round's pool, draws and seats until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", _PANEL_LOCKS, round_id)


def _expert(row: asyncpg.Record) -> PoolExpert:
    facts = Facts(row["unit"], row["channel"], tuple(row["employers"]), tuple(row["partners"]))
    return PoolExpert(row["expert"], tuple(row["fields"]), facts)


async def put_pool(connection: Connection, round_id: str, experts: Iterable[tuple[PoolExpert, bool]]) -> None:
    """Add or change experts of the pool; False takes one off the list."""
    await connection.executemany(
        "INSERT INTO pool_experts AS p (round, expert, fields, unit, channel, employers, partners, listed)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (round, expert) DO UPDATE SET fields = excluded.fields,"
        " unit = excluded.unit, channel = excluded.channel, employers = excluded.employers,"
        " partners = excluded.partners, listed = excluded.listed, version = p.version + 1",
        [
            (
                round_id, each.expert, each.fields, each.facts.unit, each.facts.channel, each.facts.employers,
                each.facts.partners, listed,
            )
            for each, listed in experts
        ],
    )  # fmt: skip


async def pool(reader: Reader, round_id: str, after: str = "", limit: int | None = None) -> list[PoolExpert]:
    """Listed experts in the order of their names."""
    rows = await reader.fetch(
        f"SELECT {_POOL} FROM pool_experts WHERE round = $1 AND listed"  # noqa: S608
        ' AND expert COLLATE "C" > $2 ORDER BY expert COLLATE "C" LIMIT $3',
        round_id, after, limit,
    )  # fmt: skip
    return [_expert(row) for row in rows]


async def facts_of_experts(reader: Reader, round_id: str) -> list[tuple[str, Facts]]:
    """What is known of every expert of the pool, and of every expert account with a unit or channel."""
    rows = await reader.fetch(f"SELECT {_POOL} FROM pool_experts WHERE round = $1", round_id)  # noqa: S608
    accounts = await reader.fetch(
        "SELECT username, unit, channel FROM staff WHERE 'expert' = ANY(roles) AND (unit <> '' OR channel <> '')"
    )
    told = [(row["username"], Facts(row["unit"], row["channel"])) for row in accounts]
    return [(row["expert"], _expert(row).facts) for row in rows] + told


async def lifted(reader: Reader, round_id: str) -> frozenset[tuple[str, str]]:
    """(expert, candidate) found by two people to be no conflict."""
    rows = await reader.fetch("SELECT expert, candidate FROM conflict_lifts WHERE round = $1", round_id)
    return frozenset((row["expert"], row["candidate"]) for row in rows)


async def put_lift(connection: Connection, round_id: str, candidate: str, expert: str, proposal: int) -> None:
    await connection.execute(
        "INSERT INTO conflict_lifts (round, candidate, expert, proposal) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT DO NOTHING",
        round_id, candidate, expert, proposal,
    )  # fmt: skip


async def seats(reader: Reader, round_id: str) -> dict[str, frozenset[str]]:
    """Experts by candidate; empty where no panel was drawn."""
    rows = await reader.fetch(
        "SELECT candidate, array_agg(expert) AS experts FROM seats WHERE round = $1 GROUP BY candidate", round_id
    )
    return {row["candidate"]: frozenset(row["experts"]) for row in rows}


async def put_seats(
    connection: Connection, round_id: str, seated: Iterable[tuple[str, str]], at: datetime, called_for: str = ""
) -> None:
    """Give (candidate, expert) their seats."""
    await connection.executemany(
        "INSERT INTO seats (round, candidate, expert, called_for, at) VALUES ($1, $2, $3, $4, $5)",
        [(round_id, candidate, expert, called_for, at) for candidate, expert in sorted(seated)],
    )


async def called(reader: Reader, round_id: str) -> list[dict[str, Any]]:
    """Reserves that were called, in the order of the calls."""
    rows = await reader.fetch(
        "SELECT candidate, expert, called_for, at FROM seats WHERE round = $1 AND called_for <> ''"
        " ORDER BY at, candidate, expert",
        round_id,
    )
    return [dict(row) for row in rows]


async def put_draw(connection: Connection, new: Draw) -> None:
    await connection.execute(
        "INSERT INTO draws (round, draw, commitment, seed, pool_digest, plan, committed_by, committed_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        new.round, new.draw, new.commitment, new.seed, new.pool_digest, new.plan, new.committed_by, new.committed_at,
    )  # fmt: skip


async def draws(reader: Reader, round_id: str) -> list[Draw]:
    """Every promised draw of a round, the oldest first."""
    rows = await reader.fetch(
        "SELECT d.round, d.draw, d.commitment, d.seed, d.pool_digest, d.plan, d.committed_by, d.committed_at,"
        " coalesce(p.word, '') AS word, p.panels, coalesce(p.drawn_by, '') AS drawn_by, p.drawn_at"
        " FROM draws AS d LEFT JOIN drawn_panels AS p USING (round, draw) WHERE d.round = $1 ORDER BY d.draw",
        round_id,
    )
    return [Draw(**{**dict(row), "panels": msgspec.convert(row["panels"] or (), tuple[Panel, ...])}) for row in rows]


async def put_panels(connection: Connection, drawn: Draw) -> None:
    await connection.execute(
        "INSERT INTO drawn_panels (round, draw, word, panels, committed_by, drawn_by, drawn_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        drawn.round, drawn.draw, drawn.word, msgspec.to_builtins(drawn.panels), drawn.committed_by, drawn.drawn_by,
        drawn.drawn_at,
    )  # fmt: skip


async def letter_signed_at(reader: Reader, round_id: str, expert: str, letter: str) -> datetime | None:
    signed: datetime | None = await reader.fetchval(
        "SELECT signed_at FROM letters WHERE round = $1 AND expert = $2 AND letter = $3", round_id, expert, letter
    )
    return signed


async def sign_letter(connection: Reader, round_id: str, expert: str, letter: str, at: datetime) -> None:
    """Keep the first signature; signing again changes nothing."""
    await connection.execute(
        "INSERT INTO letters (round, expert, letter, signed_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        round_id, expert, letter, at,
    )  # fmt: skip


async def signatures(reader: Reader, round_id: str, letter: str) -> Mapping[str, datetime]:
    rows = await reader.fetch(
        "SELECT expert, signed_at FROM letters WHERE round = $1 AND letter = $2", round_id, letter
    )
    return {row["expert"]: row["signed_at"] for row in rows}


async def recused(reader: Reader, round_id: str, candidate: str) -> frozenset[str]:
    """Experts whose sheet on a candidate was taken out."""
    rows = await reader.fetch(
        "SELECT expert FROM sheets WHERE round = $1 AND candidate = $2 AND state = 'recused'", round_id, candidate
    )
    return frozenset(row["expert"] for row in rows)
