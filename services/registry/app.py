"""The registry's composition root: reads like a table of contents."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from litestar import Litestar
from litestar.types import ControllerRouterHandler
from redis.asyncio import Redis

from services.registry import status
from services.registry.applications import api as applications_api
from services.registry.applications import consent_api, counting, form_pages, import_api
from services.registry.applications import office_pages as application_office_pages
from services.registry.applications import pages as application_pages
from services.registry.attachments import Files
from services.registry.attachments import api as attachments_api
from services.registry.attachments.scanning import Scanner
from services.registry.attachments.vault import FolderVault
from services.registry.calendar import api as calendar_api
from services.registry.calendar import pages as calendar_pages
from services.registry.calls import api as calls_api
from services.registry.calls import pages as call_pages
from services.registry.calls import preview_api, recommendation_api, recommendation_pages
from services.registry.calls.recommending import pass_direct_once
from services.registry.grants import api as grants_api
from services.registry.grants import office_pages as project_office_pages
from services.registry.grants import pages as grants_pages
from services.registry.grants.watch import watch_once as watch_projects_once
from services.registry.lists import admin_pages as list_admin_pages
from services.registry.lists import api as lists_api
from services.registry.lists import pages as list_pages
from services.registry.lists import proposals
from services.registry.lists.follower import apply_ranking
from services.registry.log import api as log_api
from services.registry.log import pages as log_pages
from services.registry.log.chain import chain_once
from services.registry.objections import api as objections_api
from services.registry.objections import duties
from services.registry.objections import office_pages as objection_office_pages
from services.registry.objections import pages as objection_pages
from services.registry.objections.intake import Intake
from services.registry.office import pages as office_pages
from services.registry.parts import PREFIX, Parts
from services.registry.printing import Printer
from services.registry.rehearsals import api as rehearsals_api
from services.registry.reviews import api as reviews_api
from services.registry.reviews import opening as reviews
from services.registry.reviews import pages as review_pages
from services.registry.rounds import api as rounds_api
from services.registry.rounds import candidates_api, extensions, freezing, report_api
from services.registry.rounds import pages as admin_pages
from services.registry.settings import RegistrySettings
from services.registry.staff import account_pages
from services.registry.staff import api as staff_api
from services.registry.staff import pages as staff_pages
from services.registry.staff import store as staff_store
from services.registry.staff.sessions import Sessions
from services.registry.units import api as units_api
from services.registry.units import office_pages as unit_office_pages
from services.registry.units import pages as unit_pages
from services.registry.units.admission import Admission
from services.shared.address import Addresses
from services.shared.clock import MEASURED_EVERY_S, Clock
from services.shared.health import Health, health_router
from services.shared.loops import ElectedLoops, Loop, Loops
from services.shared.messages import REGISTRY_ROUNDS, REGISTRY_STAFF, SCORING_RANKINGS, VOTING_TALLIES, VOTING_WINDOWS
from services.shared.outbox import Follower, Relay
from services.shared.pages import Pages
from services.shared.postgres import Election, Pool, open_pool
from services.shared.redis_client import PATIENT_S, open_redis
from services.shared.servers import ServersWatch
from services.shared.settings import read_secret
from services.shared.staff import StaffDoor
from services.shared.tokens import StaffSigner, StaffVerifier
from services.shared.web import Edge, create_app

FOLDER = Path(__file__).parent
ELECTION_LOCK = 0x70780101

ROUTES: list[ControllerRouterHandler] = [
    health_router(PREFIX),
    *status.ROUTES,
    *staff_api.ROUTES,
    *calendar_api.ROUTES,
    *units_api.ROUTES,
    *log_api.ROUTES,
    *rounds_api.ROUTES,
    *candidates_api.ROUTES,
    *rehearsals_api.ROUTES,
    *report_api.ROUTES,
    *calls_api.ROUTES,
    *preview_api.ROUTES,
    *recommendation_api.ROUTES,
    *reviews_api.ROUTES,
    *applications_api.ROUTES,
    *consent_api.ROUTES,
    *import_api.ROUTES,
    *attachments_api.ROUTES,
    *lists_api.ROUTES,
    *objections_api.ROUTES,
    *grants_api.ROUTES,
    *grants_pages.ROUTES,
    *application_pages.ROUTES,
    *form_pages.ROUTES,
    *unit_pages.ROUTES,
    *staff_pages.ROUTES,
    *account_pages.ROUTES,
    *admin_pages.ROUTES,
    *call_pages.ROUTES,
    *list_admin_pages.ROUTES,
    *calendar_pages.ROUTES,
    *log_pages.ROUTES,
    *list_pages.ROUTES,
    *objection_pages.ROUTES,
    *office_pages.ROUTES,
    *unit_office_pages.ROUTES,
    *application_office_pages.ROUTES,
    *recommendation_pages.ROUTES,
    *review_pages.ROUTES,
    *objection_office_pages.ROUTES,
    *project_office_pages.ROUTES,
]


def _steps(pool: Pool, redis: Redis, clock: Clock) -> list[Loop]:
    """What the elected process does in the background, beside sweeping up."""
    return [
        Loop("relay_rounds", Relay(pool, redis, REGISTRY_ROUNDS).relay_once, 0.2),
        Loop("relay_staff", Relay(pool, redis, REGISTRY_STAFF).relay_once, 0.2),
        Loop("follow_rankings", Follower(pool, redis, SCORING_RANKINGS, apply_ranking).follow_once, 0.3),
        Loop("follow_tallies", Follower(pool, redis, VOTING_TALLIES, freezing.apply_tally).follow_once, 0.3),
        Loop("follow_windows", Follower(pool, redis, VOTING_WINDOWS, extensions.apply_window).follow_once, 0.3),
        Loop("reveal_seeds", lambda: freezing.reveal_once(pool, clock.now()), 1.0),
        Loop("watch_projects", lambda: watch_projects_once(pool, clock.now()), 30.0),
        Loop("chain_log", lambda: chain_once(pool), 0.5),
        Loop("pass_direct", lambda: pass_direct_once(pool, clock.now()), 1.0),
        Loop("open_reviews", lambda: reviews.open_reviews_once(pool, clock.now()), 1.0),
        Loop("end_completions", lambda: reviews.end_completions_once(pool, clock.now()), 1.0),
        Loop("watch_reviews", lambda: reviews.watch_reviews_once(pool, clock.now()), 30.0),
        Loop("count_applications", lambda: counting.count_once(pool), 15.0),
        Loop("release_lists", lambda: proposals.release_once(pool, clock.now()), 1.0),
        Loop("measure_objections", lambda: duties.measure_once(pool, clock.now()), 30.0),
        ServersWatch(pool, redis).loop(),
    ]


def build(settings: RegistrySettings) -> Edge:
    """The whole service as an ASGI application; raises ConfigurationError where a secret is missing."""
    return Edge(build_litestar(settings))


def build_litestar(settings: RegistrySettings) -> Litestar:
    """The Litestar application inside; `app.state.parts` is there while its lifespan lasts."""
    web_secret = read_secret(settings.web_secret_file, "REGISTRY_WEB_SECRET_FILE")
    signer = StaffSigner(read_secret(settings.staff_signing_key_file, "STAFF_SIGNING_KEY_FILE"))
    verifier = StaffVerifier(read_secret(settings.staff_public_key_file, "STAFF_PUBLIC_KEY_FILE"))
    pages = Pages("registry", FOLDER)
    files = open_files(settings)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        pool = await open_pool(
            settings.database_url, size_max=settings.pool_max,
            statement_timeout_s=settings.statement_timeout_s, name="registry",
        )  # fmt: skip
        redis = open_redis(settings.redis_url, timeout_s=PATIENT_S, connections_max=8, name="registry")
        clock = Clock()
        await _measure(clock, pool)
        await staff_store.ensure_platform_account(pool, clock.now())
        sessions = Sessions(pool, signer, clock, settings, web_secret)
        admission = Admission(pool, clock, settings, web_secret)
        intake = Intake(pool, clock, settings, web_secret)
        sweeps = [
            Loop("sweep_attempts", sessions.sweep_once, 60.0),
            Loop("sweep_registrations", admission.sweep_once, 60.0),
            Loop("sweep_objections", intake.sweep_once, 60.0),
        ]
        election = Election(settings.database_url, ELECTION_LOCK, "registry-election")
        loops = ElectedLoops(election, [*_steps(pool, redis, clock), *sweeps])
        door = StaffDoor(pool, verifier, settings.staff_lag_max_s, copies=False)
        addresses = Addresses(settings.trusted_proxies)
        app.state.parts = Parts(
            settings, pool, redis, clock, door, sessions, addresses, pages, admission, files,
            Printer(settings.documents_parallel), intake,
        )  # fmt: skip
        app.state.health = Health(pool, redis, clock, loops, FOLDER / "migrations")
        try:
            async with loops, Loops([Loop("measure_clock", lambda: _measure(clock, pool), MEASURED_EVERY_S)]):
                yield
        finally:
            await redis.aclose()
            await pool.close()

    app = create_app("registry", settings, web_secret, ROUTES, lifespan, "Pingxuan registry")
    app.state.error_page = pages.render_error
    return app


def open_files(settings: RegistrySettings) -> Files:
    """Where handed-in files go; raises ConfigurationError where the folder or the scanner cannot be used."""
    home = os.environ.get("PINGXUAN_HOME", ".pingxuan")
    vault = FolderVault(Path(settings.attachments_folder or f"{home}/attachments"))
    scanner = Scanner(settings.virus_scan, settings.virus_scan_timeout_s)
    return Files(vault, scanner, settings.attachment_max_bytes, settings.attachments_parallel)


async def _measure(clock: Clock, pool: Pool) -> int:
    """Every process corrects its own clock; while PostgreSQL is away the last offset stays."""
    await clock.measure(pool)
    return 0
