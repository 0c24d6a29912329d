"""The fault proxy: stands between two parties on loopback and does to their bytes what a bad network does.

One proxy has one rule at a time; `under` puts a rule in force and takes it away again. On Unix sockets it knows who
calls, so that a trap (traps.py) can kill exactly the process that just said something. Used by stage.py.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

_CREDENTIALS = struct.Struct("3i")
_CHUNK_BYTES = 65536
# When a server asks whether anybody is there, and how often (services/shared/postgres.py): 10 s and three times 5 s.
KEEPALIVE_S = 25.0

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Connect: TypeAlias = Callable[[], Coroutine[Any, Any, tuple[Reader, Writer]]]


class Cut(Exception):
    """The connection ends here, at once and for both sides."""


class Rule:
    """Passes everything on. `upward` is from the caller to the server."""

    def begin(self, line: Line) -> None:
        """A line that this rule now governs, old or new."""

    async def pass_on(self, line: Line, upward: bool, chunk: bytes) -> bytes:
        """What to pass on of a chunk; raises Cut."""
        return chunk

    def end(self) -> None:
        """The rule is taken away."""


class Delay(Rule):
    """Every chunk comes late by a time drawn between two bounds."""

    def __init__(self, chance: random.Random, low_s: float, high_s: float) -> None:
        self._chance, self._low_s, self._high_s = chance, low_s, high_s

    async def pass_on(self, line: Line, upward: bool, chunk: bytes) -> bytes:
        await asyncio.sleep(self._chance.uniform(self._low_s, self._high_s))
        return chunk


class CutAfter(Rule):
    """Ends a connection when so many bytes have passed in one direction, new connections likewise."""

    def __init__(self, upward: bool, draw_bytes: Callable[[], int]) -> None:
        self._upward, self._draw_bytes = upward, draw_bytes
        self._left: dict[int, int] = {}

    def begin(self, line: Line) -> None:
        self._left[id(line)] = self._draw_bytes()

    async def pass_on(self, line: Line, upward: bool, chunk: bytes) -> bytes:
        if upward is not self._upward:
            return chunk
        left = self._left[id(line)] = self._left.get(id(line), 0) - len(chunk)
        if left >= 0:
            return chunk
        await line.write(upward, chunk[:left])
        raise Cut


class BlackHole(Rule):
    """One direction stands still; what was sent into it arrives when the rule ends, as TCP would deliver it."""

    def __init__(self, upward: bool) -> None:
        self._upward = upward
        self._over = asyncio.Event()

    async def pass_on(self, line: Line, upward: bool, chunk: bytes) -> bytes:
        if upward is self._upward:
            await self._over.wait()
        return chunk

    def end(self) -> None:
        self._over.set()


class HalfOpen(Rule):
    """The other side is gone and nobody tells: such a line stays silent for good, also after the rule has ended."""

    def begin(self, line: Line) -> None:
        line.is_mute = True


class Line:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, caller: tuple[Reader, Writer], server: tuple[Reader, Writer]) -> None:
        self._proxy, self._caller, self._server = proxy, caller, server
        self.caller_pid = _pid_of(caller[1])
        self.is_mute = False
        # What the caller said before and says in this chunk, for traps: commands as the proxy's reader tells them.
        self.said: deque[str] = deque(maxlen=20)
        self.saying: list[str] = []
        self.reader = proxy.make_reader()

    async def run(self) -> None:
        """Until either side ends the connection, or a rule does."""
        pumps = [asyncio.create_task(self._pump(upward)) for upward in (True, False)]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if self.is_mute:
                # The side that is left hears nothing of it until its keepalive finds out.
                await asyncio.wait(pumps, timeout=KEEPALIVE_S)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self.abort()

    async def _pump(self, upward: bool) -> None:
        reader = (self._caller if upward else self._server)[0]
        with suppress(Cut, OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                if upward:
                    self.said.extend(self.saying)
                    self.saying = self.reader(chunk)
                if not self.is_mute:
                    await self.write(upward, await self._proxy.rule.pass_on(self, upward, chunk))

    async def write(self, upward: bool, chunk: bytes) -> None:
        writer = (self._server if upward else self._caller)[1]
        if chunk and not self.is_mute:
            writer.write(chunk)
            await writer.drain()

    def abort(self) -> None:
        for _, writer in (self._caller, self._server):
            writer.transport.abort()


def _pid_of(writer: Writer) -> int:
    """The process at the other end of a Unix socket, 0 for one that came over TCP."""
    connection = writer.get_extra_info("socket")
    if connection is None or connection.family != socket.AF_UNIX:
        return 0
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[0])


def reads_nothing(chunk: bytes) -> list[str]:
    """The reader of a proxy whose callers' words do not matter."""
    return []


class Proxy:
    """Listens for one server; `connect` opens a connection to it, `make_reader` a reader of what a caller says."""

    def __init__(
        self, connect: Connect,
        make_reader: Callable[[], Callable[[bytes], list[str]]] = lambda: reads_nothing,
    ) -> None:  # fmt: skip
        self.make_reader = make_reader
        self.rule = Rule()
        self._connect = connect
        self._lines: set[Line] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    async def listen_at(self, path: Path) -> None:
        self._listener = await asyncio.start_unix_server(self._accept, path)

    async def listen_on(self, port: int) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", port)

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: Reader, writer: Writer) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        try:
            server = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        line = Line(self, (reader, writer), server)
        self._lines.add(line)
        self.rule.begin(line)
        try:
            await line.run()
        finally:
            self._lines.discard(line)

    @asynccontextmanager
    async def under(self, rule: Rule) -> AsyncIterator[None]:
        """The rule governs all lines, those that are open too, until the block ends."""
        self.rule = rule
        for line in self._lines:
            rule.begin(line)
        try:
            yield
        finally:
            self.rule = Rule()
            rule.end()

    def callers(self) -> list[Line]:
        """The lines that are open."""
        return list(self._lines)

    def cut_all(self) -> int:
        """Abort every line; returns how many."""
        lines = list(self._lines)
        for line in lines:
            line.abort()
        return len(lines)
