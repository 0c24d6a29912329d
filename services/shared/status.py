"""What an operator sees of a service on the built-in status page: the same numbers as `/metrics`, made readable.

`GET <prefix>/status` answers {service, checks, …, own part}; counts of candidates, voters or marks are in no metric and
so cannot be here. Counters count from the workers' start: the page makes rates of their differences.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import asyncpg
import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from prometheus_client.parser import text_string_to_metric_families

from services.shared import metrics, outbox
from services.shared.health import Health
from services.shared.live import live_of
from services.shared.postgres import Pool
from services.shared.redis_client import REDIS_FAILURES
from services.shared.settings import ServiceSettings
from services.shared.staff import Role, Staff

_READERS = (Role.OPERATOR, Role.ADMINISTRATOR, Role.AUDITOR)
_ANSWER_WITHIN_S = 1.0
Labels = frozenset[tuple[str, str]]


class Histogram(msgspec.Struct, frozen=True):
    """`buckets` are [upper bound, count up to it], the last bound None: no bound."""

    count: float
    sum: float
    buckets: list[tuple[float | None, float]]


class Samples:
    """The metrics of all workers of a service, looked up by name and labels."""

    def __init__(self, exposition: str) -> None:
        self._values: dict[str, dict[Labels, float]] = defaultdict(dict)
        for family in text_string_to_metric_families(exposition):
            for sample in family.samples:
                self._values[sample.name][frozenset(sample.labels.items())] = sample.value

    def total(self, name: str, **labels: str) -> float:
        """The sum over every sample with these labels; 0 where there is none."""
        wanted = set(labels.items())
        return sum(value for known, value in self._values[name].items() if wanted <= known)

    def by(self, name: str, label: str) -> dict[str, float]:
        """Sums by the values of one label, without those that are 0."""
        sums: dict[str, float] = defaultdict(float)
        for known, value in self._values[name].items():
            sums[dict(known)[label]] += value
        return {key: value for key, value in sorted(sums.items()) if value}

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Each sample that is not 0 as its labels with `count`."""
        return [
            {**dict(known), "count": value} for known, value in sorted(self._values[name].items(), key=str) if value
        ]

    def histogram(self, name: str) -> Histogram:
        """The distribution over all labels."""
        counts: dict[float, float] = defaultdict(float)
        for known, value in self._values[f"{name}_bucket"].items():
            counts[float(dict(known)["le"])] += value
        buckets = [(None if bound == float("inf") else bound, counts[bound]) for bound in sorted(counts)]
        return Histogram(self.total(f"{name}_count"), self.total(f"{name}_sum"), buckets)


Own = Callable[[Samples], Awaitable[Mapping[str, Any]]]


class Door(Protocol):
    """What the route needs of `staff.StaffDoor`."""

    async def require(self, request: Request[Any, Any, Any], *roles: Role) -> Staff: ...

    async def remaining_s(self, request: Request[Any, Any, Any], *roles: Role) -> float: ...


@dataclass(frozen=True, slots=True)
class Observed:
    """One service as its route finds it: what it follows and publishes, and `own`, which makes its own part."""

    service: str
    settings: ServiceSettings
    door: Door
    health: Health
    follows: Sequence[str]
    publishes: Sequence[str]
    own: Own


def status_route(prefix: str, observe: Callable[[Request[Any, Any, Any]], Observed]) -> HTTPRouteHandler:
    """`GET <prefix>/status` of a service, also as a stream."""

    @get(f"{prefix}/status", summary="How the service is, for operators; also as a stream of events")
    async def get_status(request: Request[Any, Any, Any]) -> Response[Any]:
        observed = observe(request)
        await observed.door.require(request, *_READERS)

        async def read() -> bytes:
            return msgspec.json.encode(await document(observed))

        async def remaining() -> float:
            return await observed.door.remaining_s(request, *_READERS)

        return await live_of(request).answer(request, "status", read, remaining=remaining)

    return get_status


async def document(observed: Observed) -> dict[str, Any]:
    """Everything that is known of a service now; a database that is away is told, not raised."""
    samples = Samples(await metrics.whole_exposition(observed.settings.host, observed.settings.metrics_port))
    pool = observed.health.pool
    checks, database, valkey = await asyncio.gather(observed.health.checks(), _database(pool), _valkey(observed.health))
    told: dict[str, Any] = {
        "service": observed.service,
        "at": datetime.now(UTC).replace(microsecond=0),
        "workers": observed.settings.workers,
        "checks": checks,
        "database": database,
        "valkey": valkey,
        "requests": _requests(samples),
        "refusals": samples.by("refusals_total", "reason"),
        "loops_failed": [row for row in samples.rows("loop_runs_total") if row["result"] == "failed"],
        "live_streams": samples.by("live_streams", "kind"),
        "clock_offset_s": round(observed.health.clock.offset_s, 3),
    }
    if database is not None:
        told["follows"] = [await _followed(pool, stream, samples) for stream in observed.follows]
        told["publishes"] = [await outbox.backlog(pool, observed.health.redis, stream) for stream in observed.publishes]
        told |= await observed.own(samples)
    return told


def _requests(samples: Samples) -> dict[str, Any]:
    """Answers by the first digit of their status, those under way, and how long they took."""
    by_class: dict[str, float] = defaultdict(float)
    for status, count in samples.by("http_requests_total", "status").items():
        by_class[f"{status[0]}xx"] += count
    in_flight = samples.total("http_in_flight") - samples.total("live_streams")
    return {
        "by_status": by_class,
        "in_flight": max(0, in_flight),
        "seconds": samples.histogram("http_request_seconds"),
    }


async def _database(pool: Pool) -> dict[str, Any] | None:
    """Answer time, connections to the whole server, size of this service's database; None while it is away."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            row = await pool.fetchrow(_DATABASE)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None
    assert row is not None
    return {**dict(row), "answer_ms": _since_ms(began)}


# Of the whole server: what each service sees of it tells when the others crowd it out.
_DATABASE = """
    SELECT split_part(current_setting('server_version'), ' ', 1) AS version,
        (SELECT sum(numbackends)::int FROM pg_stat_database) AS connections,
        current_setting('max_connections')::int AS connections_max,
        pg_database_size(current_database()) AS size_bytes
"""


async def _valkey(health: Health) -> dict[str, Any] | None:
    """Answer time; None while it is away, which makes things slower and loses nothing."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            await health.redis.time()
    except REDIS_FAILURES:
        return None
    return {"answer_ms": _since_ms(began)}


def _since_ms(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 1)


async def _followed(pool: Pool, stream: str, samples: Samples) -> dict[str, Any]:
    """How far behind a follower is; `lag_s` None: it was never complete."""
    lag_s = await outbox.lag_s(pool, stream)
    entries = samples.total("follower_lag_entries", stream=stream)
    return {"stream": stream, "lag_s": None if lag_s == float("inf") else round(lag_s, 1), "entries": entries}
