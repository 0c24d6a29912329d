"""Everywhere that something may be left: databases as dumped, Valkey, logs, metrics, status, the files of the home."""

from __future__ import annotations

import asyncio
import mmap
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from redis.asyncio import Redis

from services.cli.embedded.postgres import binary
from tests.system.town import SERVICES, Town


async def metric_lines(town: Town) -> dict[str, str]:
    """Value by metric and labels, over the internal pages of the services and of the platform itself."""
    lines: dict[str, str] = {}
    async with httpx.AsyncClient(trust_env=False) as http:
        for teller in (*SERVICES, "platform"):
            text = (await http.get(town.platform.urls[f"{teller}_metrics"])).text
            for line in text.splitlines():
                if not line.startswith("#"):
                    name, _, value = line.rpartition(" ")
                    lines[f"{teller}: {name}"] = value
    return lines


async def valkey_values(town: Town) -> AsyncIterator[tuple[str, str]]:
    """(key, everything in it) of all of Valkey, streams included."""
    async with Redis.from_url(town.platform.operator_redis_url) as operator:
        client: Any = operator
        async for key in client.scan_iter(count=500):
            kind = (await client.type(key)).decode()
            read = {"string": client.get, "hash": client.hgetall, "stream": client.xrange, "set": client.smembers}
            yield key.decode("latin-1"), repr(await read[kind](key))


def log_files(town: Town) -> Iterator[tuple[str, str]]:
    for path in sorted(town.platform.home.logs.iterdir()):
        yield path.name, path.read_text(encoding="utf-8", errors="replace")


async def dumps(town: Town) -> AsyncIterator[tuple[str, str]]:
    """(service and table, rows) of each service's database, as `pg_dump` would hand it to a backup."""
    for service in SERVICES:
        url = town.platform.environment[f"{service.upper()}_OWNER_DATABASE_URL"]
        process = await asyncio.create_subprocess_exec(
            binary("pg_dump"), "--data-only", f"--dbname={url}",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, error = await process.communicate()
        assert process.returncode == 0, error.decode()
        tables = out.decode().split("\nCOPY ")
        assert len(tables) > 5
        for table in tables[1:]:
            yield f"{service}.{table.split(' ', 1)[0]}", table


async def statuses(town: Town) -> AsyncIterator[tuple[str, str]]:
    """What operators are shown of each service."""
    for service in SERVICES:
        answer = await town.operate("GET", f"/api/{service}/v1/status")
        assert answer.status_code == 200
        yield f"status of {service}", answer.text


async def texts(town: Town) -> AsyncIterator[tuple[str, str]]:
    """(where, text) of all of it but the raw files."""
    async for where, text in dumps(town):
        yield where, text
    async for key, value in valkey_values(town):
        yield f"valkey {key}", f"{key} {value}"
    async for where, text in statuses(town):
        yield where, text
    for where, text in log_files(town):
        yield where, text
    for name, value in (await metric_lines(town)).items():
        yield f"metric {name}", f"{name} {value}"


def files_holding(folder: Path, needles: Mapping[str, bytes]) -> set[tuple[str, str]]:
    """(file, what) of every file of the home in which the bytes stand: data, write-ahead log, Valkey's file, logs.

    `keys` is left out, where secrets lie on purpose.
    """
    found = set()
    for path in folder.rglob("*"):
        place = path.relative_to(folder)
        if place.parts[0] == "keys" or not path.is_file() or not path.stat().st_size:
            continue
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found |= {(str(place), what) for what, needle in needles.items() if content.find(needle) >= 0}
    return found
