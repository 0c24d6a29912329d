"""Metrics: what every service counts, declared here, and one internal port that is whole over the workers.

A worker alone serves its registry itself. Several workers each serve theirs on a Unix socket, and their parent adds
them up when it is scraped: counters, histograms and gauges are all sums, so gauges of elected steps are the leader's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import REGISTRY, Collector

_ELECTED: list[Gauge] = []


def elected(gauge: Gauge) -> Gauge:
    """A gauge that only the process which leads its service's background steps may show: see `forget_elected`."""
    _ELECTED.append(gauge)
    return gauge


def forget_elected() -> None:
    """Show nothing of what another process leads now: the sum over the workers would count it twice."""
    for gauge in _ELECTED:
        if gauge._labelnames:
            gauge.clear()
        else:
            gauge.set(0)


http_requests_total = Counter(
    "http_requests_total", "Requests answered, by route template.", ["method", "route", "status"]
)
http_request_seconds = Histogram(
    "http_request_seconds",
    "Time from the request's first byte to the answer's last, by route template.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
http_in_flight = Gauge("http_in_flight", "Requests being answered now, live streams included.")
refusals_total = Counter("refusals_total", "Refused requests, by the word of the refusal.", ["reason"])
live_streams = Gauge("live_streams", "Live streams open now, by who watches.", ["kind"])
clock_offset_seconds = Gauge("clock_offset_seconds", "PostgreSQL's clock minus this process's, the worst worker's.")
loop_runs_total = Counter("loop_runs_total", "Runs of a background step.", ["loop", "result"])
relay_published_total = Counter("relay_published_total", "Messages published to a stream.", ["stream"])
relay_rebuilt_total = Counter("relay_rebuilt_total", "Streams written anew from the outbox.", ["stream"])
relay_last_number = elected(Gauge("relay_last_number", "Dense number of the newest message in the outbox.", ["stream"]))
follower_applied_total = Counter("follower_applied_total", "Messages applied by a follower.", ["stream"])
follower_gaps_total = Counter("follower_gaps_total", "Gaps that made a follower ask for a replay.", ["stream"])
follower_restarts_total = Counter(
    "follower_restarts_total", "Streams read again from the beginning because their publisher was restored.", ["stream"]
)
follower_lag_entries = elected(Gauge("follower_lag_entries", "Messages a follower has yet to apply.", ["stream"]))
follower_lag_seconds = elected(
    Gauge("follower_lag_seconds", "Seconds since a follower was last known complete.", ["stream"])
)

# The servers as this service's elected process sees them (`servers.py`): the same figures wherever they run.
postgres_up = elected(Gauge("postgres_up", "1 while this service's database answers."))
postgres_answer_seconds = elected(Gauge("postgres_answer_seconds", "Time of one trivial question to PostgreSQL."))
postgres_connections = elected(Gauge("postgres_connections", "Connections to the whole server."))
postgres_connections_max = elected(Gauge("postgres_connections_max", "Connections that the server takes at most."))
postgres_database_bytes = elected(Gauge("postgres_database_bytes", "Size of this service's database."))
postgres_lock_waits = elected(Gauge("postgres_lock_waits", "Locks that somebody on the server waits for now."))
postgres_oldest_transaction_seconds = elected(
    Gauge("postgres_oldest_transaction_seconds", "Age of this service's oldest open transaction.")
)
postgres_standbys = elected(Gauge("postgres_standbys", "Standbys and archivers connected to the server."))
postgres_transactions_total = Counter(
    "postgres_transactions_total", "Transactions in this service's database, by how they ended.", ["outcome"]
)
postgres_blocks_total = Counter(
    "postgres_blocks_total", "Blocks that this service's database read, by where they were found.", ["source"]
)
postgres_deadlocks_total = Counter("postgres_deadlocks_total", "Deadlocks in this service's database.")
postgres_temporary_bytes_total = Counter(
    "postgres_temporary_bytes_total", "Bytes that queries of this service's database spilled to disk."
)
postgres_wal_bytes_total = Counter("postgres_wal_bytes_total", "Bytes of log that the whole server wrote.")
valkey_up = elected(Gauge("valkey_up", "1 while Valkey answers this service."))
valkey_answer_seconds = elected(Gauge("valkey_answer_seconds", "Time of one trivial question to Valkey."))
valkey_memory_bytes = elected(Gauge("valkey_memory_bytes", "Memory that Valkey uses for data."))
valkey_memory_max_bytes = elected(Gauge("valkey_memory_max_bytes", "Memory that Valkey may use; 0: no limit."))
valkey_clients = elected(Gauge("valkey_clients", "Connections to Valkey."))
valkey_replicas = elected(Gauge("valkey_replicas", "Replicas connected to Valkey."))
valkey_keys = elected(Gauge("valkey_keys", "Keys in Valkey."))
valkey_uptime_seconds = elected(Gauge("valkey_uptime_seconds", "Time since Valkey was started."))
valkey_files_well = elected(Gauge("valkey_files_well", "1 while Valkey's last write to its file went well."))
valkey_commands_total = Counter("valkey_commands_total", "Commands that Valkey carried out.")
valkey_evicted_keys_total = Counter("valkey_evicted_keys_total", "Keys that Valkey dropped for want of memory.")
valkey_refused_connections_total = Counter(
    "valkey_refused_connections_total", "Connections that Valkey turned away because it had too many."
)

_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
Exposition = Callable[[], Awaitable[bytes]]


async def own_exposition() -> bytes:
    """This process's metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)


async def _answer(exposition: Exposition, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        known = head.split(b" ", 2)[1:2] == [b"/metrics"]
        body = await exposition() if known else b"see /metrics\n"
        status = b"200 OK" if known else b"404 Not Found"
        writer.write(
            b"HTTP/1.1 " + status + b"\r\nContent-Type: " + _TYPE + b"\r\nConnection: close\r\nContent-Length: "
            + str(len(body)).encode() + b"\r\n\r\n" + body
        )  # fmt: skip
        await writer.drain()
    except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


async def serve_metrics(
    exposition: Exposition, *, host: str = "127.0.0.1", port: int = 0, path: Path | None = None
) -> asyncio.Server:
    """A server for one page; on a Unix socket when `path` is given."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(exposition, reader, writer)

    if path is not None:
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - once, at start
        return await asyncio.start_unix_server(answer, path=str(path))
    return await asyncio.start_server(answer, host=host, port=port)


async def fetch(path: Path) -> str:
    """A worker's metrics; empty when it does not answer within a second."""
    try:
        return await _scraped(asyncio.open_unix_connection(str(path)), within_s=1)
    except (OSError, TimeoutError):
        return ""


async def whole_exposition(host: str, port: int) -> str:
    """The metrics of all workers of this service, from its internal port; where nobody listens, this process's own."""
    try:
        return await _scraped(asyncio.open_connection(host, port), within_s=3)
    except (OSError, TimeoutError):
        return (await own_exposition()).decode()


async def _scraped(opening: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]], within_s: float) -> str:
    async with asyncio.timeout(within_s):
        reader, writer = await opening
        try:
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: worker\r\n\r\n")
            return (await reader.read()).partition(b"\r\n\r\n")[2].decode()
        finally:
            writer.close()


class _Merged(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def merge(expositions: Iterable[str]) -> bytes:
    """One exposition for all workers: sums, and of gauges in seconds the largest."""
    totals: dict[str, Metric] = {}
    sums: dict[tuple[str, str, tuple[tuple[str, str], ...]], float] = {}
    for text in expositions:
        for family in text_string_to_metric_families(text):
            known = totals.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                key = (known.name, sample.name, tuple(sorted(sample.labels.items())))
                # A lag or an offset of several workers is as bad as the worst of them, not their sum.
                worst = family.type == "gauge" and family.name.endswith("_seconds")
                before = sums.get(key, 0.0)
                sums[key] = max(before, sample.value, key=abs) if worst else before + sample.value
    for (family_name, name, labels), value in sums.items():
        if not name.endswith("_created"):
            totals[family_name].add_sample(name, dict(labels), value)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Merged(totals.values()))
    return generate_latest(registry)
