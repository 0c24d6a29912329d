"""The whole platform and a headless Chromium of phone size, started once; every page must be free of errors.

A test that needs another day than today asks for `registry`: alone on servers of its own, its clock can be moved.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright, expect
from redis.asyncio import Redis

from services.cli.client import Client
from services.cli.people import Citizen, new_phone, no_cookies
from services.cli.rounds import read_folder
from services.cli.supervisor import Platform, PlatformServers
from tests.integration.registry.conftest import Registry, running_registry
from tests.integration.voting import identity_bureau as bureau_api
from tests.integration.voting import issuer as issuer_api
from tests.integration.voting import wechat_api
from tests.integration.voting.identity_bureau import Bureau
from tests.integration.voting.issuer import Issuer
from tests.integration.voting.wechat_api import WechatApi
from tests.support.databases import Databases
from tests.support.local_server import serving
from tests.support.tasks import in_own_task
from tests.support.waiting import wait_until

ROUNDS = Path(__file__).parents[2] / "deploy" / "rounds"
ROUND = "kunming-2021"
PASSWORD = "correct horse battery 36"
PHONE: ViewportSize = {"width": 360, "height": 740}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A person's patience with a slow machine, not what is expected of the pages.
PATIENCE_MS = 20_000
# Services that know staff from the registry's messages.
FOLLOWERS = ("voting", "scoring")
expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Neighbours:
    """Who else takes part in signing in, on loopback: a bureau for IDs, an OpenID issuer, WeChat."""

    bureau: Bureau = field(default_factory=Bureau)
    issuer: Issuer = field(default_factory=Issuer)
    wechat: WechatApi = field(default_factory=WechatApi)
    settings: dict[str, str] = field(default_factory=dict)


@dataclass
class Site:
    """The running platform as a test uses it: its origin, its neighbours, and what people beside the browser do."""

    platform: Platform
    client: Client
    neighbours: Neighbours

    @property
    def origin(self) -> str:
        return self.platform.urls["origin"]

    def add_staff(self, username: str, role: str, name: str) -> None:
        form = {"username": username, "name": name, "roles": [role], "password": PASSWORD}
        answer = self.client.post("/api/registry/v1/staff", form)
        assert answer.status == 201, answer
        self.until_known(username)

    def until_known(self, username: str) -> None:
        """Who signs in before the others have heard of them is asked to wait a few seconds."""
        deadline = time.monotonic() + 60
        while any(self.client.get(f"/api/{each}/v1/status", actor=username).status in (401, 503) for each in FOLLOWERS):
            assert time.monotonic() < deadline, f"voting and scoring have not heard of {username}"
            time.sleep(0.1)

    async def load(self, round_id: str, files: dict[str, str], open_for_s: int) -> None:
        """Load a round and wait until voting and scoring know it and it is open."""
        answer = self.client.post("/api/registry/v1/rounds", {"files": files, "open_for_s": open_for_s})
        assert answer.status == 201, answer

        def known() -> bool:
            state = self.client.get(f"/api/voting/v1/rounds/{round_id}/results")
            scoring = self.client.get(f"/api/scoring/v1/rounds/{round_id}")
            return state.body.get("state") == "open" and scoring.status == 200

        await wait_until(known, 30, f"{round_id} is open everywhere")

    def newest_code(self, phone: str) -> str:
        """The code that the phone received."""
        sent = self.client.post("/api/voting/v1/dev/outbox", {"phone": phone}, actor="").body["items"]
        return str(sent[-1]["code"])

    async def vote_elsewhere(self, round_id: str, phone: str, choices: Sequence[str]) -> str:
        """The receipt of a ballot that the same person cast from another device and address."""
        origin = self.platform.urls["voting"]
        async with httpx.AsyncClient(base_url=origin, trust_env=False, cookies=no_cookies()) as http:
            citizen = Citizen(http, round_id, phone, address="203.0.113.9")
            await citizen.sign_in()
            answer = (await citizen.vote(choices)).raise_for_status()
        return str(answer.json()["receipt"])


@pytest.fixture(scope="session")
async def neighbours(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Neighbours]:
    """Their servers, and the settings that lead the platform to them."""
    neighbours, secrets = Neighbours(), tmp_path_factory.mktemp("secrets")
    contents = {"bureau": bureau_api.SECRET, "issuer": issuer_api.SECRET.encode()}
    contents |= {"wechat": wechat_api.SECRET.encode(), "mini": wechat_api.MINI_SECRET.encode()}
    for name, content in contents.items():
        (secrets / name).write_bytes(content)
    async with AsyncExitStack() as stack:
        bureau, issuer, wechat = [
            await stack.enter_async_context(serving(each))
            for each in (neighbours.bureau, neighbours.issuer, neighbours.wechat)
        ]
        neighbours.issuer.url = issuer.url
        neighbours.settings = {
            "IDENTITY_PROVIDER": "three_factor,oidc",
            "VOTING_IDENTITY_URL": f"{bureau.url}/v1/verify",
            "VOTING_IDENTITY_KEY_ID": bureau_api.KEY_ID,
            "VOTING_IDENTITY_SECRET_FILE": str(secrets / "bureau"),
            "VOTING_OIDC_ISSUER": issuer.url,
            "VOTING_OIDC_CLIENT_ID": issuer_api.CLIENT,
            "VOTING_OIDC_CLIENT_SECRET_FILE": str(secrets / "issuer"),
            "VOTING_WECHAT_URL": wechat.url,
            "VOTING_WECHAT_AUTHORIZE_URL": f"{wechat.url}/connect/oauth2/authorize",
            "VOTING_WECHAT_APP_ID": wechat_api.APP,
            "VOTING_WECHAT_SECRET_FILE": str(secrets / "wechat"),
            "VOTING_WECHAT_MINI_APP_ID": wechat_api.MINI_APP,
            "VOTING_WECHAT_MINI_SECRET_FILE": str(secrets / "mini"),
        }
        yield neighbours


@pytest.fixture(scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory, neighbours: Neighbours) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        # Only while it starts: other platforms of this run have no such neighbours.
        with pytest.MonkeyPatch.context() as patch:
            for name, value in neighbours.settings.items():
                patch.setenv(name, value)
            platform = Platform(tmp_path_factory.mktemp("home"), database_url="", redis_url="")
            await stack.enter_async_context(in_own_task(platform))
            await platform.ready()
        site = Site(platform, Client(platform.environment), neighbours)
        for number in (1, 2):
            site.add_staff(f"admin{number}", "administrator", f"管理员{number}")
        site.add_staff("expert1", "expert", "袁守正")
        await site.load(ROUND, read_folder(ROUNDS / ROUND), 3600)
        yield site
        site.client.close()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail(
            "Chromium is missing: run `make browser`, or install Debian's package with apt-get install chromium"
        )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        await browser.close()


@dataclass
class Errors:
    """What the browser complained about; a test may expect refusals by their status."""

    seen: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.seen.append(f"script: {error}"))
        page.on("console", lambda message: self.seen.append(message.text) if message.type == "error" else None)

    @property
    def unexpected(self) -> list[str]:
        return [each for each in self.seen if not any(word in each for word in self.expected)]


@pytest.fixture
def errors() -> Iterator[Errors]:
    errors = Errors()
    yield errors
    assert errors.unexpected == []


@pytest.fixture
async def context(browser: Browser, site: Site) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(viewport=PHONE, base_url=site.origin, locale="zh-CN", has_touch=True)
    context.set_default_timeout(PATIENCE_MS)
    yield context
    await context.close()


@pytest.fixture
async def page(context: BrowserContext, errors: Errors) -> Page:
    page = await context.new_page()
    errors.watch(page)
    return page


@pytest.fixture
def phone() -> str:
    return new_phone()


async def sign_in(page: Page, username: str, following: str, landing: str = "") -> None:
    """As staff do: the form, then where they wanted to go, or `landing` (a pattern) where they wanted nothing."""
    await page.goto(f"/sign-in?next={following}")
    await page.fill("#username", username)
    await page.fill("#password", PASSWORD)
    # The form's own address ends with where they wanted to go: only a page after it is the one to wait for.
    async with page.expect_navigation():
        await page.click("main button[type=submit]")
    await page.wait_for_url(f"**{landing or following}")


@pytest.fixture(scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PlatformServers]:
    home: Path = tmp_path_factory.mktemp("home")
    async with PlatformServers(home, database_url="", redis_url="") as servers:
        yield servers


@pytest.fixture(scope="module")
def databases(servers: PlatformServers) -> Databases:
    return Databases(servers.admin_database_url, servers.environment)


@pytest.fixture
async def registry(
    servers: PlatformServers, databases: Databases, request: pytest.FixtureRequest
) -> AsyncIterator[Registry]:
    """The registry alone, on empty databases; a test that parametrizes it changes its settings."""
    async with Redis.from_url(servers.operator_redis_url) as redis:
        await redis.flushall()
        async with running_registry(servers, databases, redis, **getattr(request, "param", {})) as registry:
            yield registry
