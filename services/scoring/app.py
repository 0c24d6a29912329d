"""The scoring service put together: what it opens, what it follows, what it serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from litestar import Litestar, Router
from litestar.datastructures import ResponseHeader
from litestar.types import ControllerRouterHandler
from redis.asyncio import Redis

from services.scoring import (
    api,
    api_rankings,
    api_versions,
    followers,
    pages,
    pages_draw,
    pages_keys,
    pages_meeting,
    pages_own,
    pages_panels,
    pages_rankings,
    pages_results,
    statistics,
    watch,
)
from services.scoring.desk import Desk, Keys
from services.scoring.office import api as office_api
from services.scoring.office import papers_api, reading_api
from services.scoring.office.snapshots import snapshot_once
from services.scoring.panels import api as panels_api
from services.scoring.readers import api as readers_api
from services.scoring.settings import ScoringSettings
from services.scoring.status import get_status
from services.shared.clock import MEASURED_EVERY_S, Clock
from services.shared.health import Health, health_router
from services.shared.loops import ElectedLoops, Loop, Loops
from services.shared.messages import REGISTRY_ROUNDS, REGISTRY_STAFF, SCORING_RANKINGS, VOTING_TALLIES
from services.shared.outbox import Follower, Relay
from services.shared.pages import Pages
from services.shared.postgres import Election, Pool, open_pool
from services.shared.redis_client import PATIENT_S, open_redis
from services.shared.servers import ServersWatch
from services.shared.settings import read_secret
from services.shared.staff import StaffDoor, apply_staff
from services.shared.tokens import StaffVerifier
from services.shared.web import Edge, create_app

PREFIX = "/api/scoring/v1"
FOLDER = Path(__file__).parent
_ELECTION_LOCK = 0x70780002
_GAUGES_EVERY_S = 15.0
_SNAPSHOTS_EVERY_S = 60.0


def build_app(settings: ScoringSettings) -> Edge:
    """The whole service as one ASGI application; raises ConfigurationError for a missing or wrong secret."""
    return Edge(build_litestar(settings))


def build_litestar(settings: ScoringSettings) -> Litestar:
    """The service behind its edge."""
    web_secret = read_secret(settings.web_secret_file, "SCORING_WEB_SECRET_FILE")
    keys = Keys.of(read_secret(settings.tally_key_file, "TALLY_KEY_FILE"))
    verifier = StaffVerifier(read_secret(settings.staff_public_key_file, "STAFF_PUBLIC_KEY_FILE"))

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            pool = await open_pool(
                settings.database_url,
                size_max=settings.pool_max,
                statement_timeout_s=settings.statement_timeout_s,
                name="scoring",
            )
            stack.push_async_callback(_close_pool, pool)
            redis = open_redis(settings.redis_url, timeout_s=PATIENT_S, connections_max=16, name="scoring")
            stack.push_async_callback(redis.aclose)
            door = StaffDoor(pool, verifier, settings.staff_lag_max_s)
            desk = Desk(pool, door, Clock(), keys, settings)
            app.state.desk, app.state.redis = desk, redis
            await desk.clock.measure(pool)
            await stack.enter_async_context(_measured_clock(desk))
            election = Election(settings.database_url, _ELECTION_LOCK, "scoring-loops")
            loops = await stack.enter_async_context(ElectedLoops(election, _loops(desk, redis)))
            app.state.health = Health(pool, redis, desk.clock, loops, FOLDER / "migrations")
            yield

    # An expert's marks must not stay in a cache of a shared machine.
    unkept = [ResponseHeader(name="cache-control", value="no-store")]
    handlers: list[ControllerRouterHandler] = [
        Router(
            PREFIX,
            route_handlers=[
                *api.ROUTES,
                *panels_api.ROUTES,
                *office_api.ROUTES,
                *papers_api.ROUTES,
                *reading_api.ROUTES,
                *api_versions.ROUTES,
                *readers_api.ROUTES,
            ],
            response_headers=unkept,
        ),
        Router(PREFIX, route_handlers=api_rankings.ROUTES),
        health_router(PREFIX),
        get_status,
        *pages.ROUTES,
        *pages_panels.ROUTES,
        *pages_draw.ROUTES,
        *pages_meeting.ROUTES,
        *pages_own.ROUTES,
        *pages_keys.ROUTES,
        *pages_rankings.ROUTES,
        *pages_results.ROUTES,
    ]
    app = create_app("scoring", settings, web_secret, handlers, lifespan, "Pingxuan scoring")
    app.state.pages = Pages("scoring", FOLDER)
    app.state.error_page = app.state.pages.render_error
    return app


async def _close_pool(pool: Pool) -> None:
    try:
        await asyncio.wait_for(pool.close(), 5)
    except TimeoutError:
        pool.terminate()


def _loops(desk: Desk, redis: Redis) -> list[Loop]:
    """Background steps, run by one elected process."""
    pool = desk.pool
    return [
        Loop("follow rounds", Follower(pool, redis, REGISTRY_ROUNDS, followers.apply_round).follow_once),
        Loop("follow staff", Follower(pool, redis, REGISTRY_STAFF, apply_staff).follow_once),
        Loop(
            "follow tallies",
            Follower(pool, redis, VOTING_TALLIES, followers.tally_applier(desk.keys.tallies)).follow_once,
        ),
        Loop("relay rankings", Relay(pool, redis, SCORING_RANKINGS).relay_once),
        Loop("make statistics", lambda: statistics.attach_once(desk)),
        Loop("take snapshots", lambda: snapshot_once(desk), idle_s=_SNAPSHOTS_EVERY_S),
        Loop("watch scoring", lambda: watch.watch_once(desk), idle_s=_GAUGES_EVERY_S),
        ServersWatch(pool, redis).loop(),
    ]


def _measured_clock(desk: Desk) -> Loops:
    """Every process keeps its own clock corrected: windows are decided by it."""

    async def measure_once() -> int:
        await desk.clock.measure(desk.pool)
        return 0

    return Loops([Loop("measure clock", measure_once, MEASURED_EVERY_S)])
