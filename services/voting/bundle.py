"""`ballots.csv` of the published bundle, for rounds whose rules publish ballots.

One row per ballot and group, each under its own keyed random number, so that neither a receipt nor a pattern of picks
over the groups leads to a person. Strata smaller than the rules' minimum are merged into the rest. A country's ballots
do not fit into memory: rows are sorted in runs on disk and merged while they are sent.
"""

from __future__ import annotations

import asyncio
import csv
import heapq
import hmac
import io
import tempfile
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import ExitStack, aclosing
from itertools import islice
from pathlib import Path

import asyncpg

from services.shared.keys import derive
from services.shared.postgres import Pool
from services.shared.strata import REST, merged_strata
from services.voting import store
from services.voting.rounds import FrozenRound
from services.voting.tally_store import Sealed

RUN_BALLOTS_MAX = 50_000
_BLOCK_LINES = 2_000
_HEAD = b"ballot,state,choices,stratum\n"


async def ballots_csv(pool: Pool, frozen: FrozenRound, secret: bytes, tally: Sealed) -> AsyncGenerator[bytes]:
    """The file in blocks, as a sealed tally counted, rows strictly increasing by `ballot`; memory stays within one run.

    Everything that can fail does so before the first block. A ballot has the same numbers in every version.
    """
    rows = _Rows(frozen, derive(secret, f"published-ballots:{frozen.id}"), await _merged(pool, frozen, tally))
    until = tally.events_until
    with tempfile.TemporaryDirectory(prefix="pingxuan-ballots-") as folder, ExitStack() as stack:
        runs: list[Path] = []
        async with aclosing(store.published_ballots(pool, frozen.number, until, RUN_BALLOTS_MAX)) as portions:
            async for ballots in portions:
                runs.append(Path(folder) / str(len(runs)))
                await asyncio.to_thread(rows.write_run, runs[-1], ballots)
        lines = heapq.merge(*(stack.enter_context(run.open(encoding="utf-8", newline="\n")) for run in runs))
        yield _HEAD
        while block := await asyncio.to_thread(_next_block, lines):
            yield block


def _next_block(lines: Iterator[str]) -> bytes:
    return "".join(islice(lines, _BLOCK_LINES)).encode()


async def _merged(pool: Pool, frozen: FrozenRound, tally: Sealed) -> frozenset[str]:
    """Strata told as the rest; where no ballot counts there is nothing to tell apart."""
    ballots = await store.published_strata(pool, frozen.number, tally.events_until)
    counted = {stratum: count for stratum, count in ballots.items() if count}
    return merged_strata(counted, frozen.rules.publication.small_group_min) | (ballots.keys() - counted.keys())


class _Rows:
    """Makes the published rows of a round's ballots."""

    def __init__(self, frozen: FrozenRound, key: bytes, merged: frozenset[str]) -> None:
        self._frozen, self._key, self._merged = frozen, key, merged

    def write_run(self, path: Path, ballots: Sequence[asyncpg.Record]) -> None:
        """Sorted lines of some ballots; a line begins with its number and holds no line break."""
        lines = [line for ballot in ballots for line in self._lines(ballot)]
        lines.sort()
        path.write_text("".join(lines), encoding="utf-8", newline="\n")

    def _lines(self, ballot: asyncpg.Record) -> Iterator[str]:
        state = "excluded" if ballot["state"] == "excluded" else "counted"
        stratum = REST if ballot["stratum"] in self._merged else ballot["stratum"]
        for group, chosen in _by_group(self._frozen, ballot["choices"]):
            text = io.StringIO()
            number = _number(self._key, ballot["ballot_id"].bytes, group)
            csv.writer(text, lineterminator="\n").writerow((number, state, " ".join(sorted(chosen)), stratum))
            yield text.getvalue()


def _by_group(frozen: FrozenRound, numbers: list[int]) -> Iterator[tuple[str, list[str]]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for number in numbers:
        candidate = frozen.by_number[number].candidate
        groups[frozen.groups[candidate]].append(candidate)
    yield from groups.items()


def _number(key: bytes, ballot_id: bytes, group: str) -> str:
    return hmac.digest(key, ballot_id + group.encode(), "sha256")[:12].hex()
