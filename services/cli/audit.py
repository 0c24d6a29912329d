"""`pingxuan audit`: every service's invariants on the live databases; silence means that all of them hold."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import asyncpg
import click

from services.shared.settings import environment

SERVICES = ("registry", "voting", "scoring")
_ROWS_SHOWN = 20


class AuditError(click.ClickException):
    """The audit could not be made."""

    exit_code = 2


async def violations(urls: dict[str, str]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """(service, invariant, offending rows) of every invariant that does not hold; `urls` by service."""
    found: list[tuple[str, str, list[dict[str, Any]]]] = []
    for service, url in urls.items():
        invariants: dict[str, str] = importlib.import_module(f"services.{service}.audit").INVARIANTS
        connection = await asyncpg.connect(url, timeout=10, command_timeout=600)
        try:
            # One snapshot for all queries: ballots that arrive meanwhile must not look like disagreements.
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                for name, query in invariants.items():
                    rows = await connection.fetch(query)
                    if rows:
                        found.append((service, name, [dict(row) for row in rows]))
        finally:
            await connection.close()
    return found


@click.command()
@click.option("--service", "only", type=click.Choice(SERVICES), help="Only this service.")
def audit(only: str | None) -> None:
    """Run every service's invariants: exit 0 and silence, or 1 with the rows.

    Example: pingxuan audit
    """
    known = environment()
    urls = {name: known.get(f"{name.upper()}_DATABASE_URL", "") for name in SERVICES if only in (None, name)}
    if not all(urls.values()):
        raise AuditError("no running platform is found: start `pingxuan up`, or set PINGXUAN_HOME to its folder")
    try:
        found = asyncio.run(violations(urls))
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise AuditError(f"a database does not answer ({type(error).__name__}): is the platform running?") from None
    for service, name, rows in found:
        click.echo(f"{service}: broken: {name} ({len(rows)} rows)")
        for row in rows[:_ROWS_SHOWN]:
            click.echo("  " + ", ".join(f"{column}={value}" for column, value in row.items()))
    if found:
        raise SystemExit(1)
