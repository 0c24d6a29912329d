"""The plans that PostgreSQL chose for the services' own statements, for the tests of plans."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

_INDEX = re.compile(r"(?:Index (?:Only )?Scan (?:Backward )?using|Bitmap Index Scan on) (\w+)")


class Plans:
    """Runs the services' own functions and keeps the plan of every statement, nested ones included."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self.connection = connection
        self.texts: list[str] = []
        connection.add_log_listener(lambda _, message: self.texts.append(str(message.message)))

    def scans(self) -> list[str]:
        """Tables that were read from end to end."""
        found = [name for text in self.texts for name in re.findall(r"Seq Scan on (\w+)", text)]
        return [name for name in found if not name.startswith("pg_")]  # asyncpg asks the catalogue for types

    def rows_read(self, table: str) -> int:
        """Rows that the scans of a table or its partitions came to, those thrown away later included."""
        read = re.compile(rf"(?<!Bitmap Index )Scan[^\n]* on {table}\w* [^\n]*actual time=\S+ rows=(\d+)")
        return sum(int(rows) for text in self.texts for rows in read.findall(text))

    def indexes(self) -> set[str]:
        return {name for text in self.texts for name in _INDEX.findall(text)}


@asynccontextmanager
async def explained(url: str) -> AsyncIterator[Plans]:
    """A connection that tells its plans: generic ones, as a prepared statement gets them after a while."""
    connection = await asyncpg.connect(url)
    for setting in (
        "LOAD 'auto_explain'", "SET auto_explain.log_min_duration = 0", "SET auto_explain.log_nested_statements = on",
        "SET auto_explain.log_analyze = on",
        "SET auto_explain.log_level = 'notice'", "SET plan_cache_mode = force_generic_plan",
    ):  # fmt: skip
        await connection.execute(setting)
    yield Plans(connection)
    await connection.close()


def plain(plans: Plans) -> Any:
    """The one connection where a function wants a pool."""
    return _OneConnection(plans.connection)


class _OneConnection:
    """A pool of the one connection whose plans are kept."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def acquire(self) -> _OneConnection:
        return self

    async def __aenter__(self) -> asyncpg.Connection[asyncpg.Record]:
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        return None
