"""Composition root of the voting service: what exists, in which order it starts, what runs in the background."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from litestar import Litestar
from litestar.di import Provide
from litestar.types import Receive, Scope, Send
from redis.asyncio import Redis

from services.shared.address import Addresses
from services.shared.clock import MEASURED_EVERY_S, Clock
from services.shared.health import Health, health_router
from services.shared.keys import derive
from services.shared.loops import ElectedLoops, Loop, Loops
from services.shared.messages import REGISTRY_ROUNDS, REGISTRY_STAFF, VOTING_TALLIES, VOTING_WINDOWS
from services.shared.outbox import Follower, Relay
from services.shared.pages import Pages
from services.shared.postgres import Election, Pool, open_pool
from services.shared.redis_client import PATIENT_S, REDIS_FAILURES, open_redis
from services.shared.servers import ServersWatch
from services.shared.settings import read_secret
from services.shared.staff import StaffDoor, apply_staff
from services.shared.tokens import StaffVerifier
from services.shared.web import Edge, create_app
from services.voting import codes_store, holds, ledger, metrics, tally, watch
from services.voting.admission import Admission
from services.voting.api import BallotRoute
from services.voting.api_citizens import citizens_router
from services.voting.api_delivery import delivery_router
from services.voting.api_identity import identity_router
from services.voting.api_staff import staff_router
from services.voting.ballot_protocol import BallotProtocol
from services.voting.challenges import Challenges
from services.voting.codes import SignIn
from services.voting.context import Context
from services.voting.delivery import store as delivery_store
from services.voting.delivery.compose import make_courier, outbox_of, report_secret
from services.voting.devices import Devices
from services.voting.extensions import Extender
from services.voting.identity import RoundKeys
from services.voting.identity.compose import identity_providers, make_oidc, make_people, make_wechat
from services.voting.ledger import LedgerWriter
from services.voting.openapi import describe_ballots
from services.voting.page_office import office_router
from services.voting.page_pictures import picture_routers
from services.voting.page_returns import return_pages_router
from services.voting.page_screen import screen_router
from services.voting.pages import pages_router
from services.voting.reissues.api import reissues_router
from services.voting.rounds import RoundBook, apply_round
from services.voting.settings import Limits, VotingSettings
from services.voting.stations.api import stations_router
from services.voting.stations.pages import station_pages_router
from services.voting.status import get_status
from services.voting.turnstile import Turnstile
from services.voting.voter_token import VoterTokens

FOLDER = Path(__file__).parent
_LEADER_LOCK = 0x70780101


def _context(settings: VotingSettings, pool: Pool, redis: Redis, clock: Clock) -> Context:
    master = read_secret(settings.master_secret_file, "VOTING_MASTER_SECRET_FILE")
    keys, tokens = RoundKeys(settings.round_keys_dir, master), VoterTokens(derive(master, "voter-tokens"))
    challenges = Challenges(
        derive(master, "challenges"), cost=settings.challenge_cost, tries_max=settings.challenge_tries_max,
        lifetime_s=settings.challenge_lifetime_s,
    )  # fmt: skip
    courier = make_courier(settings, pool, derive(master, "outbox-provider"))
    people = make_people(settings, keys)
    verifier = StaffVerifier(read_secret(settings.staff_public_key_file, "STAFF_PUBLIC_KEY_FILE"))
    return Context(
        settings=settings,
        pool=pool,
        clock=clock,
        rounds=RoundBook(pool),
        keys=keys,
        tokens=tokens,
        challenges=challenges,
        devices=Devices(derive(master, "device-cookies")),
        addresses=Addresses(settings.trusted_proxies),
        turnstile=_turnstile(settings, redis),
        sign_in=SignIn(pool, settings, people, challenges, courier, tokens, derive(master, "sign-in")),
        courier=courier,
        outbox_provider=outbox_of(courier),
        wechat=make_wechat(settings),
        oidc=make_oidc(settings, derive(master, "oidc-flows")),
        oidc_verifies_ids="oidc" in identity_providers(settings),
        report_secret=report_secret(settings),
        door=StaffDoor(pool, verifier, settings.staff_lag_max_s),
        tally_key=derive(read_secret(settings.tally_key_file, "TALLY_KEY_FILE"), "tallies"),
        bundle_secret=derive(master, "published-bundle"),
        picture_key=derive(master, "receipt-pictures"),
    )


def _turnstile(settings: VotingSettings, redis: Redis) -> Turnstile:
    limits = Limits(
        settings.voter_attempts_per_minute, settings.device_attempts_per_minute,
        settings.address_attempts_per_minute, settings.verified_allowance,
    )  # fmt: skip
    return Turnstile(
        redis, limits, timeout_ms=settings.turnstile_timeout_ms, open_ms=settings.breaker_open_ms,
        workers=settings.workers, shards=settings.turnstile_shards,
    )  # fmt: skip


def _admission(settings: VotingSettings, turnstile: Turnstile) -> Admission:
    writers = [
        LedgerWriter(settings.database_url, settings.ledger_timeout_s) for _ in range(settings.batches_in_flight_max)
    ]
    return Admission(
        turnstile, writers, batch_max=settings.batch_max, queue_max=settings.queue_max, retries=settings.ledger_retries,
        wait_max_s=settings.ballot_timeout_s,
    )  # fmt: skip


def _elected_loops(context: Context, redis: Redis) -> list[Loop]:
    """What runs once, whichever worker leads."""
    pool, rounds = context.pool, context.rounds
    extender = Extender(pool, rounds)

    async def seal_due() -> int:
        if not context.clock.trustworthy:
            return 0  # nobody knows whether a window has ended; what is sealed too soon stays sealed
        # First the outage rule: a window that it extends is not over yet.
        now = context.clock.now()
        extended = await extender.extend_once(now)
        return extended + await tally.seal_due_once(pool, rounds, context.tally_key, now)

    async def restore_overdue() -> int:
        if not context.clock.trustworthy:
            return 0
        now = context.clock.now()
        return sum([await holds.restore_overdue(pool, each, now.astimezone(each.zone).date()) for each in rounds.all()])

    return [
        Loop("follow registry.rounds", Follower(pool, redis, REGISTRY_ROUNDS, apply_round).follow_once, 0.2),
        Loop("follow registry.staff", Follower(pool, redis, REGISTRY_STAFF, apply_staff).follow_once, 0.2),
        Loop("relay voting.tallies", Relay(pool, redis, VOTING_TALLIES).relay_once, 0.2),
        Loop("relay voting.windows", Relay(pool, redis, VOTING_WINDOWS).relay_once, 0.2),
        Loop("count ballots", lambda: tally.count_once(pool), 0.5, worth=tally.FOLLOW_MAX),
        Loop("extend windows and seal due tallies", seal_due, 1),
        Loop("restore overdue holds", restore_overdue, 30),
        Loop("watch rounds", lambda: watch.watch_once(context), 5),
        ServersWatch(pool, redis).loop(),
        Loop("sweep", lambda: codes_store.sweep(pool), 60),
        Loop("give up lost deliveries", lambda: delivery_store.give_up_lost(pool, 60), 15),
    ]


def _own_loops(context: Context) -> list[Loop]:
    """What every worker does for itself."""

    async def refresh_rounds() -> int:
        changed = await context.rounds.refresh()
        for each in context.rounds.all():
            if each.forgotten:
                # Another worker destroyed the file; no memory may hold the key either.
                context.keys.drop_cached(each.id)
        return changed

    async def measure_clock() -> int:
        await context.clock.measure(context.pool)
        metrics.turnstile_available.set(1 if context.turnstile.available else 0)
        context.turnstile.epoch = await ledger.epoch(context.pool)
        return 0

    async def beat() -> int:
        return await context.pulse.beat_once(context.pool, context.rounds, context.clock)

    return [
        Loop("refresh rounds", refresh_rounds, 0.25),
        Loop("measure clock", measure_clock, MEASURED_EVERY_S),
        Loop("heartbeat", beat, 1),
    ]


class Application:
    """The ASGI application: the ballot route in front, the framework behind it; `protocol` is for the server."""

    protocol = BallotProtocol

    def __init__(self, settings: VotingSettings, clock: Clock | None = None) -> None:
        self.settings = settings
        self._clock = clock or Clock()
        self.context: Context | None = None
        self.ballots: BallotRoute | None = None
        pages = Pages("voting", FOLDER, settings)
        self.litestar: Litestar = create_app(
            "voting",
            settings,
            read_secret(settings.web_secret_file, "VOTING_WEB_SECRET_FILE"),
            [
                *citizens_router(with_outbox=settings.sms_provider == "outbox"),
                staff_router,
                reissues_router,
                stations_router,
                station_pages_router,
                identity_router,
                delivery_router,
                pages_router,
                *picture_routers,
                return_pages_router,
                screen_router,
                office_router,
                health_router("/api/voting/v1"),
                get_status,
            ],
            self._lifespan,
            "Pingxuan: voting",
            dependencies={
                "context": Provide(lambda: self.context, sync_to_thread=False),
                "pages": Provide(lambda: pages, sync_to_thread=False),
            },
        )
        self.litestar.state["error_page"] = pages.render_error
        describe_ballots(self.litestar)
        self._edge = Edge(self.litestar)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.ballots or self._edge)(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, app: Litestar) -> AsyncIterator[None]:
        settings = self.settings
        async with AsyncExitStack() as stack:
            pool = await open_pool(
                settings.database_url, size_max=settings.pool_max,
                statement_timeout_s=settings.statement_timeout_s, name="voting",
            )  # fmt: skip
            stack.push_async_callback(pool.close)
            # Loops wait for replies longer than a batch may: they have a client of their own.
            fast = open_redis(
                settings.redis_url, timeout_s=0.2, name="voting",
                connections_max=8 + settings.turnstile_shards * settings.batches_in_flight_max,
            )  # fmt: skip
            slow = open_redis(settings.redis_url, timeout_s=PATIENT_S, connections_max=8, name="voting-loops")
            stack.push_async_callback(fast.aclose)
            stack.push_async_callback(slow.aclose)
            with suppress(*REDIS_FAILURES):
                # A cluster's map takes longer to learn than the first ballot's turnstile may.
                await fast.time()
            context = self.context = _context(settings, pool, fast, self._clock)
            stack.push_async_callback(context.courier.close)
            for closing in (context.sign_in.people, context.wechat, context.oidc):
                if closing is not None:
                    stack.push_async_callback(closing.close)
            admission = await stack.enter_async_context(_admission(settings, context.turnstile))
            election = Election(settings.database_url, _LEADER_LOCK, "voting-leader")
            loops = await stack.enter_async_context(ElectedLoops(election, _elected_loops(context, slow)))
            self.litestar.state["health"] = Health(pool, slow, context.clock, loops, FOLDER / "migrations")
            self.litestar.state["context"] = context
            own = _own_loops(context)
            for loop in own:
                # Before the first answer: nobody is told 404 or 503 because a worker has just started.
                await loop.once()
            ballots = self._ballot_route(context, admission)
            own.append(Loop("give up slow ballots", admission.give_up_once, 0.5))
            own.append(Loop("end slow bodies", ballots.reading.end_once, 0.5))
            await stack.enter_async_context(Loops(own))
            self.ballots = ballots
            yield
            self.ballots = None

    def _ballot_route(self, context: Context, admission: Admission) -> BallotRoute:
        settings = self.settings
        return BallotRoute(
            self._edge, rounds=context.rounds, tokens=context.tokens, admission=admission,
            challenges=context.challenges, devices=context.devices, addresses=context.addresses, clock=context.clock,
            pulse=context.pulse, round_key=context.keys.get, body_max_bytes=settings.ballot_body_max_bytes,
            body_timeout_s=settings.body_timeout_s,
        )  # fmt: skip
