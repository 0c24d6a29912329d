"""Latency at a fixed rate, open loop: ballots leave when they are due, whether or not earlier ones were answered.

A latency counts from the moment a ballot was due, so that a server that stalls cannot hide it by slowing the client.
`python -m loadtests.bench.fixed_rate PORT FILE RATE SECONDS CONNECTIONS`, started by the comparison; prints JSON. The
clock ticks once a millisecond, which every figure contains.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import deque
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from loadtests.bench.figures import percentile
from loadtests.bench.wrk import LoadFailed, read_requests

_TICK_S = 0.001
# As long as the service itself lets a ballot wait; over as soon as all are answered.
_DRAIN_S = 20.0
_LENGTH = b"content-length: "


class FixedRate(msgspec.Struct, frozen=True):
    """What came back; `late_p99_ms` is how late the client itself sent (its own part of the latency)."""

    sent: int
    answered: int
    refused: int
    p50_ms: float
    p99_ms: float
    late_p99_ms: float


class _Sender:
    """Sends on idle connections; what is due while all are busy waits, and its waiting counts."""

    def __init__(self, requests: list[bytes]) -> None:
        self._requests = requests
        self._waiting: deque[tuple[float, bytes]] = deque()
        self.idle: list[_Connection] = []
        self.latencies_s: list[float] = []
        self.late_s: list[float] = []
        self.sent = self.refused = 0

    def due(self, at: float) -> None:
        self._waiting.append((at, self._requests[self.sent]))
        self.sent += 1
        self.dispatch()

    def dispatch(self) -> None:
        while self._waiting and self.idle:
            at, request = self._waiting.popleft()
            self.late_s.append(time.perf_counter() - at)
            self.idle.pop().send(request, at)

    def answered(self, connection: _Connection, status: bytes, due_at: float) -> None:
        self.latencies_s.append(time.perf_counter() - due_at)
        self.refused += status >= b"400"
        self.idle.append(connection)
        self.dispatch()


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on its way."""

    def __init__(self, sender: _Sender) -> None:
        self._sender, self._buffer, self._due_at = sender, b"", 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport is no subclass of asyncio's; it only has the same methods.
        self._transport = cast(asyncio.Transport, transport)
        self._sender.idle.append(self)

    def send(self, request: bytes, due_at: float) -> None:
        assert self._transport is not None
        self._due_at = due_at
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0 or len(self._buffer) < head_end + 4 + content_length(self._buffer[:head_end]):
            return
        status, self._buffer = self._buffer[9:12], b""
        self._sender.answered(self, status, self._due_at)


def content_length(head: bytes) -> int:
    """The length an answer's head announces, 0 where it announces none."""
    lower = head.lower()
    at = lower.find(_LENGTH)
    return int(lower[at + len(_LENGTH) :].partition(b"\r\n")[0]) if at >= 0 else 0


async def measure(port: int, requests: list[bytes], rate: float, seconds: float, connections: int) -> FixedRate:
    """`rate` requests a second for `seconds`, each request once."""
    loop, sender = asyncio.get_running_loop(), _Sender(requests)
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(sender), "127.0.0.1", port)
    gc.collect()
    gc.disable()
    count, started, sent = min(len(requests), int(rate * seconds)), time.perf_counter(), 0
    while sent < count:
        now = time.perf_counter()
        while sent < count and started + sent / rate <= now:
            sender.due(started + sent / rate)
            sent += 1
        await asyncio.sleep(_TICK_S)
    until = time.perf_counter() + _DRAIN_S
    while len(sender.latencies_s) < count and time.perf_counter() < until:  # noqa: ASYNC110
        await asyncio.sleep(_TICK_S)
    return _summary(sender)


def _summary(sender: _Sender) -> FixedRate:
    if not sender.latencies_s:
        raise LoadFailed("no ballot sent at a fixed rate was answered: nothing was measured")
    latencies = sender.latencies_s
    return FixedRate(
        sender.sent, len(sender.latencies_s), sender.refused, percentile(latencies, 0.5) * 1000,
        percentile(latencies, 0.99) * 1000, percentile(sender.late_s or [0.0], 0.99) * 1000,
    )  # fmt: skip


def main(arguments: list[str]) -> int:
    port, file, rate, seconds, connections = arguments
    requests = read_requests(Path(file))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        seen = runner.run(measure(int(port), requests, float(rate), float(seconds), int(connections)))
    sys.stdout.write(msgspec.json.encode(seen).decode() + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
