"""The ten commonest calls of the registry at 5,000 applications and 500 offices: p50, p99 and queries of each.

    python -m loadtests.registry_calls --applications 5000 --offices 500 --repeats 100

Starts servers of its own and the registry inside this process, so that queries can be counted where they are sent;
fills the tables by SQL; prints a table and writes `loadtests/results/registry.json`. Calls come one after another: this
tells what a call costs, not how many fit at once. Lists must stay within five queries.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import httpx

from services.cli.supervisor import PlatformServers
from services.registry.app import FOLDER, build_litestar
from services.registry.settings import RegistrySettings
from services.shared.clock import Clock
from services.shared.postgres import migrate
from services.shared.settings import read_secret
from services.shared.tokens import StaffSigner
from services.shared.web import Edge

RESULTS = Path(__file__).parent / "results" / "registry.json"
PREFIX = "/api/registry/v1"
QUERIES_OF_A_LIST_MAX = 5
WARM_UPS, COUNTED = 3, 7
RULES = (
    'schema = 1\n[round]\nid = "bench"\ntitle = "五千份申报"\ntimezone = "Asia/Shanghai"\n[windows]\n'
    "application = { opens = 2020-09-08T00:00:00+08:00, closes = 2099-10-01T00:00:00+08:00 }\n"
    '[quotas]\ndistrict = 4\n[combination]\nvotes = "1"\nexperts = "0"\n'
)
# Statements of the pool and of transactions are not queries of a call.
_NOT_COUNTED = ("BEGIN", "COMMIT", "SELECT pg_advisory_unlock_all", "ROLLBACK")
FILL = """
    INSERT INTO channels (channel, name, kind)
        SELECT 'k' || n, '渠道' || n, 'district' FROM generate_series(1, {offices}) n;
    INSERT INTO units (unit, name, kind, credit_code, channel, state)
        SELECT 'u' || n, '单位' || n, 'community', 'code' || n, 'k' || 1 + n % {offices}, 'approved'
        FROM generate_series(1, {offices}) n;
    INSERT INTO staff (staff, username, name, roles, unit, channel, not_before, version)
        SELECT 'officer' || n, 'officer' || n, '专员', ARRAY['channel_officer'], '', 'k' || n,
        now() - interval '1 day', 1
        FROM generate_series(1, {offices}) n
        UNION ALL SELECT 'applicant' || n, 'applicant' || n, '申报人', ARRAY['applicant'], 'u' || n, '',
        now() - interval '1 day', 1 FROM generate_series(1, {offices}) n
        UNION ALL SELECT 'office', 'office', '办公室', ARRAY['administrator', 'auditor'], '', '',
        now() - interval '1 day', 1;
    INSERT INTO calls (call, title, state, rules, timezone, application_opens_at, application_closes_at,
        review_working_days, appeal_working_days, quotas, created_by, announced_at)
        SELECT 'bench', '五千份申报', 'announced', '{rules}', 'Asia/Shanghai', '2020-09-07T16:00:00Z',
        '2099-09-30T16:00:00Z', 5, 3, '{{"district": 4}}', 'office', now();
    INSERT INTO applications (application, call, unit, channel, title, level, category, stage, content, created_by,
        submitted_at)
        SELECT 'a' || lpad(n::text, 6, '0'), 'bench', 'u' || 1 + n % {offices},
        'k' || 1 + (1 + n % {offices}) % {offices},
        '社区楼栋自治项目' || n, (ARRAY['major', 'key', 'general'])[1 + n % 3],
        (ARRAY['culture', 'other', 'community_building'])[1 + n % 3],
        (ARRAY['submitted', 'recommended', 'in_review', 'accepted'])[1 + n % 4], '{{}}', 'office', now()
        FROM generate_series(1, {applications}) n;
    INSERT INTO log_entries (at, actor, action, kind, object, round)
        SELECT now(), 'office', 'application.submitted', 'application', 'a' || lpad(n::text, 6, '0'), 'bench'
        FROM generate_series(1, {applications}) n;
    ANALYZE;
"""
MIDDLE = "a002500"


class Call(NamedTuple):
    """A call worth measuring: what it is, who makes it, where it goes."""

    name: str
    actor: str
    path: str
    is_list: bool = True


CALLS = (
    Call("applications, the office", "office", "/calls/bench/applications"),
    Call("applications, page in the middle", "office", f"/calls/bench/applications?after={MIDDLE}&limit=200"),
    Call("applications by stage and level", "office", "/calls/bench/applications?stage=in_review&level=key"),
    Call("applications by title", "office", "/calls/bench/applications?q=项目4999"),
    Call("applications of a channel", "officer7", "/calls/bench/applications"),
    Call("one application", "office", f"/applications/{MIDDLE}", is_list=False),
    Call("recommendations of the call", "office", "/calls/bench/recommendations"),
    Call("reviews", "office", "/calls/bench/reviews"),
    Call("units", "office", "/units?limit=200"),
    Call("the log of the call", "office", "/log?round=bench"),
)


class Measured(NamedTuple):
    name: str
    path: str
    status: int
    p50_ms: float
    p99_ms: float
    queries: int
    bytes: int


@contextmanager
def counting(pool: Any) -> Iterator[list[str]]:
    """The queries that the pool's connections send meanwhile."""
    seen: list[str] = []

    def note(record: Any) -> None:
        text = record.query.strip()
        if not text.startswith(_NOT_COUNTED):
            seen.append(text)

    holders = [holder for holder in pool._holders if holder._con is not None]
    for holder in holders:
        holder._con.add_query_logger(note)
    try:
        yield seen
    finally:
        for holder in holders:
            holder._con.remove_query_logger(note)


async def measure(client: httpx.AsyncClient, pool: Any, call: Call, token: str, repeats: int) -> Measured:
    """One call, `repeats` times one after another."""
    headers = {"authorization": f"Bearer {token}"}
    for _ in range(WARM_UPS):
        answer = await client.get(f"{PREFIX}{call.path}", headers=headers)
    # The look at the caller's account is counted too. Background loops share the pool: the fewest is the call's own.
    counts = []
    for _ in range(COUNTED):
        with counting(pool) as seen:
            answer = await client.get(f"{PREFIX}{call.path}", headers=headers)
            counts.append(len(seen))
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        answer = await client.get(f"{PREFIX}{call.path}", headers=headers)
        times.append((time.perf_counter() - started) * 1000)
    times.sort()
    p99 = times[min(len(times) - 1, round(0.99 * len(times)))]
    return Measured(
        call.name, call.path, answer.status_code, round(statistics.median(times), 2), round(p99, 2), min(counts),
        len(answer.content),
    )  # fmt: skip


def settings_of(servers: PlatformServers, home: Path) -> RegistrySettings:
    environment = servers.environment
    return RegistrySettings(
        database_url=environment["REGISTRY_DATABASE_URL"],
        redis_url=environment["REGISTRY_REDIS_URL"],
        web_secret_file=environment["REGISTRY_WEB_SECRET_FILE"],
        staff_public_key_file=environment["STAFF_PUBLIC_KEY_FILE"],
        staff_signing_key_file=environment["STAFF_SIGNING_KEY_FILE"],
        attachments_folder=str(home / "files"),
        public_origin="http://127.0.0.1",
        trusted_proxies="127.0.0.1",
        pool_max=1,
    )


async def run(applications: int, offices: int, repeats: int) -> dict[str, Any]:
    """Fill, measure every call, and tell."""
    with tempfile.TemporaryDirectory() as folder:
        async with PlatformServers(Path(folder) / "home", database_url="", redis_url="") as servers:
            owner_url = servers.environment["REGISTRY_OWNER_DATABASE_URL"]
            await migrate(owner_url, servers.environment["REGISTRY_DATABASE_URL"], FOLDER / "migrations")
            connection = await asyncpg.connect(owner_url)
            await connection.execute(FILL.format(applications=applications, offices=offices, rules=RULES))
            await connection.close()
            measured = await _measure_all(servers, Path(folder), repeats)
    return {
        "machine": {"cores": os.cpu_count(), "python": sys.version.split()[0], "load_1m": round(os.getloadavg()[0], 1)},
        "applications": applications, "offices": offices, "repeats": repeats,
        "calls": [each._asdict() for each in measured],
    }  # fmt: skip


async def _measure_all(servers: PlatformServers, folder: Path, repeats: int) -> list[Measured]:
    app = build_litestar(settings_of(servers, folder))
    signer = StaffSigner(read_secret(servers.environment["STAFF_SIGNING_KEY_FILE"], "the signing key"))
    async with app.lifespan():
        transport = httpx.ASGITransport(app=Edge(app), client=("127.0.0.1", 5000))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            measured = []
            for call in CALLS:
                token, _ = signer.sign(call.actor, call.actor, [], Clock().now())
                measured.append(await measure(client, app.state.parts.pool, call, token, repeats))
    return measured


def beyond(result: dict[str, Any]) -> list[str]:
    """Lists that send more queries than allowed, and calls that were not answered."""
    lists = {call.path for call in CALLS if call.is_list}
    return [
        each["name"] for each in result["calls"]
        if each["status"] != 200 or (each["path"] in lists and each["queries"] > QUERIES_OF_A_LIST_MAX)
    ]  # fmt: skip


def table(result: dict[str, Any]) -> str:
    """The result as people read it."""
    lines = [f"{'call':34} {'status':>6} {'p50 ms':>8} {'p99 ms':>8} {'queries':>7} {'bytes':>8}"]
    lines += [
        f"{each['name']:34} {each['status']:6} {each['p50_ms']:8.2f} {each['p99_ms']:8.2f} {each['queries']:7}"
        f" {each['bytes']:8}"
        for each in result["calls"]
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--applications", type=int, default=5000)
    parser.add_argument("--offices", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=100)
    asked = parser.parse_args()
    result = asyncio.run(run(asked.applications, asked.offices, asked.repeats))
    RESULTS.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print(table(result))
    if failed := beyond(result):
        sys.exit(f"registry_calls: not answered, or more than {QUERIES_OF_A_LIST_MAX} queries: {', '.join(failed)}")


if __name__ == "__main__":
    main()
