"""What everybody tried and what they were told, on disk before anything else happens.

An attempt is written and synced before its first byte is sent, an outcome before anybody acts on it: whatever dies, the
recording never knows less than the people did. Many records share one fsync. No token and no phone is in it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec


class Attempt(msgspec.Struct, frozen=True, tag="attempt"):
    """A ballot on its way. `kind`: own, other (a second ballot), reused (other choices), forged, passing, late."""

    number: int
    voter: str
    kind: str
    ballot_id: str
    choices: list[str]
    at: float


class Outcome(msgspec.Struct, frozen=True, tag="outcome"):
    """What an attempt was told; `status` 0 is no answer. `at` is in seconds since 1970, as all moments here."""

    number: int
    status: int
    at: float
    reason: str = ""
    receipt: str = ""
    ballot_id: str = ""
    has_retry_after: bool = False


class Moment(msgspec.Struct, frozen=True, tag="moment"):
    """Something that happened to the platform."""

    word: str
    at: float


Record = Attempt | Outcome | Moment


class Recorder:
    """An async context manager around one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: list[tuple[bytes, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()
        self._descriptor = -1
        self._writer: asyncio.Task[None] | None = None
        self._count = 0

    async def __aenter__(self) -> Self:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._writer = asyncio.create_task(self._write())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._writer is not None
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        os.close(self._descriptor)

    async def attempt(self, voter: str, kind: str, ballot_id: str, choices: list[str]) -> int:
        """Note that an attempt is about to be made; returns its number."""
        self._count += 1
        number = self._count
        await self._note(Attempt(number, voter, kind, ballot_id, choices, time.time()))
        return number

    async def outcome(self, outcome: Outcome) -> None:
        await self._note(outcome)

    async def moment(self, word: str) -> float:
        """Note a moment; returns it."""
        at = time.time()
        await self._note(Moment(word, at))
        return at

    async def _note(self, record: Record) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((msgspec.json.encode(record) + b"\n", future))
        self._arrived.set()
        await future

    async def _write(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            pending, self._pending = self._pending, []
            await asyncio.to_thread(self._sync, [line for line, _ in pending])
            for _, future in pending:
                if not future.done():
                    future.set_result(None)

    def _sync(self, lines: Iterable[bytes]) -> None:
        os.write(self._descriptor, b"".join(lines))
        os.fsync(self._descriptor)


_decode = msgspec.json.Decoder(Record).decode


def read(path: Path) -> list[Record]:
    """A recording; a last line that a crash cut off is left out."""
    lines = path.read_bytes().split(b"\n")
    return [_decode(line) for line in lines[:-1]]
