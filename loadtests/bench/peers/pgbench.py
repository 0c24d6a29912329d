"""Peer: the logic of BenchBase's Voter benchmark by `pgbench -M prepared`, four statements and a commit per vote.

No HTTP, no token, no receipt: what PostgreSQL alone does with one vote per transaction.
"""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from loadtests.bench.wrk import LoadFailed
from services.cli.embedded.postgres import binary

SCRIPT = Path(__file__).with_name("voter.pgbench")
SCHEMA = Path(__file__).with_name("voter_schema.sql")
# Longer than any run may be: --seconds is bounded.
_TIMEOUT_S = 900
_COUNT = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)
_LATENCY = re.compile(r"^latency average = ([0-9.]+) ms", re.MULTILINE)
_RATE = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)", re.MULTILINE)


class PgbenchRun(msgspec.Struct, frozen=True):
    """What pgbench reports at its end."""

    transactions: int
    per_s: float
    latency_ms: float


def parse_output(text: str) -> PgbenchRun:
    """pgbench's closing report; raises LoadFailed where it is missing or tells of failed transactions."""
    count, rate, latency, failed = (
        pattern.search(text) for pattern in (_COUNT, _RATE, _LATENCY, _FAILED)
    )  # fmt: skip
    if count is None or rate is None or latency is None:
        last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "nothing")
        raise LoadFailed(f"pgbench printed no report; its last words: {last[:200]}")
    if failed is not None and int(failed[1]):
        raise LoadFailed(f"{failed[1]} transactions of pgbench failed: nothing was measured")
    return PgbenchRun(int(count[1]), float(rate[1]), float(latency[1]))


async def run_pgbench(url: str, votes: int, clients: int) -> PgbenchRun:
    """That many votes from `clients` connections. Not for a time: pgbench counts the connecting as part of that."""
    parts = urlsplit(url)
    environment = {
        "PATH": os.defpath,
        "PGHOST": parse_qs(parts.query)["host"][0],
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": unquote(parts.path[1:]),
        "LC_ALL": "C.UTF-8",
    }
    command = [binary("pgbench"), "-n", "-M", "prepared", f"-c{clients}", "-j1", f"-t{max(1, votes // clients)}"]
    process = await asyncio.create_subprocess_exec(
        *command, "-f", str(SCRIPT), env=environment, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(process.communicate(), _TIMEOUT_S)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return parse_output(said.decode("utf-8", "replace"))
