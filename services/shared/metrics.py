"""Metrics: what every service counts of its HTTP, and one internal port that is whole over the workers.

A worker alone serves its registry itself. Several workers each serve theirs on a Unix socket, and their parent adds
them up when it is scraped: counters, histograms and gauges are all sums (a gauge is set by one process only).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import REGISTRY, Collector

http_requests_total = Counter(
    "http_requests_total", "Requests answered, by route template.", ["method", "route", "status"]
)
http_request_seconds = Histogram(
    "http_request_seconds",
    "Time from the request's first byte to the answer's last, by route template.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
http_in_flight = Gauge("http_in_flight", "Requests being answered now.")
refusals_total = Counter("refusals_total", "Refused requests, by the word of the refusal.", ["reason"])

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
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: worker\r\n\r\n")
            raw = await reader.read()
            writer.close()
    except (OSError, TimeoutError):
        return ""
    return raw.partition(b"\r\n\r\n")[2].decode()


async def whole_exposition(host: str, port: int) -> str:
    """The metrics of all workers of this service, from its internal port; where nobody listens, this process's own."""
    try:
        async with asyncio.timeout(3):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: worker\r\n\r\n")
            raw = await reader.read()
            writer.close()
    except (OSError, TimeoutError):
        return (await own_exposition()).decode()
    return raw.partition(b"\r\n\r\n")[2].decode()


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
