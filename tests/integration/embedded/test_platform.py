"""`pingxuan up` as an operator meets it: one origin, restarts, clear refusals, and nothing left after Ctrl-C."""

import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from services.cli.embedded.caddy import CADDYFILE, binary, caddy_environment
from services.cli.embedded.home import Home, environment_text
from services.cli.embedded.keys import SERVICES
from services.cli.embedded.service import service_environment
from services.cli.supervisor import Platform
from tests.integration.embedded.support import lives, pids, platform_file, run_up, wait_for_line, wait_until

MODULES = dict.fromkeys(SERVICES, "tests.integration.embedded.small_service")
NAMES = {"postgres", "valkey", "caddy", *SERVICES}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    home = tmp_path_factory.mktemp("platform")
    async with Platform(home, modules=MODULES, database_url="", redis_url="", port=free()) as running:
        await running.ready()
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    await platform.ready()
    async with httpx.AsyncClient(base_url=platform.urls["origin"], timeout=10) as client:
        yield client


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def test_the_caddyfile_is_valid_and_formatted(tmp_path: Path) -> None:
    environment = caddy_environment(Home(tmp_path), "127.0.0.1", 8000, {"voting": 1, "registry": 2, "scoring": 3})
    for command in (["validate", "--config", str(CADDYFILE), "--adapter", "caddyfile"], ["fmt", str(CADDYFILE)]):
        result = subprocess.run([binary(), *command], env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
    assert result.stdout == CADDYFILE.read_text("utf-8")


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/", "voting"),
        ("/rounds/kunming-2021", "voting"),
        ("/receipts/x", "voting"),
        ("/dev/outbox", "voting"),
        ("/api/voting/v1/rounds/x", "voting"),
        ("/api/scoring/v1/x", "scoring"),
        ("/expert", "scoring"),
        ("/results/x", "scoring"),
        ("/api/registry/v1/x", "registry"),
        ("/admin", "registry"),
        ("/apply/new", "registry"),
        ("/office", "registry"),
        ("/notices/1", "registry"),
        ("/sign-in", "registry"),
    ],
)
async def test_each_path_has_its_service(client: httpx.AsyncClient, path: str, service: str) -> None:
    assert (await client.get(path)).json()["service"] == service


@pytest.mark.parametrize("path", ["/metrics", "/api/other/v1/x", "/roundsx", "/.env"])
async def test_other_paths_have_none(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    if path.startswith("/api"):
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["reason"] == "not_found"


async def test_only_the_true_address_is_passed_on(client: httpx.AsyncClient) -> None:
    """Whatever a client claims about itself, the service hears the address of its socket."""
    claims = {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7", "X-Real-IP": "203.0.113.7"}
    heard = (await client.get("/api/voting/v1/x", headers=claims)).json()["headers"]
    assert heard["x-forwarded-for"] == "127.0.0.1"
    assert "203.0.113.7" not in str(heard)


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/api/voting/v1/x", 8 * 1024, 200),
        ("/api/voting/v1/x", 8 * 1024 + 1, 413),
        ("/api/registry/v1/x", 8 * 1024 + 1, 200),
        ("/api/registry/v1/x", 26_000_000, 413),
    ],
)
async def test_bodies_have_a_limit(client: httpx.AsyncClient, path: str, size: int, status: int) -> None:
    response = await client.post(path, content=b"x" * size)
    assert response.status_code == status
    if status == 413:
        assert response.json()["reason"] == "body_too_large"
    else:
        assert response.json()["length"] == size


async def test_a_service_that_is_down_is_answered_for(platform: Platform, client: httpx.AsyncClient) -> None:
    """A write fails at once and says when to repeat it; a page is a page, in Chinese and English."""
    await platform.stop_process("voting")
    try:
        refused = await client.post("/api/voting/v1/x", json={})
        assert refused.status_code == 503
        assert refused.elapsed.total_seconds() < 1
        assert refused.headers["retry-after"] == "2"
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["reason"] == "unavailable"
        page = await client.get("/rounds/x")
        assert page.status_code == 503
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "请稍候" in page.text
        assert (await client.get("/expert")).status_code == 200
    finally:
        await platform.start_process("voting")


async def test_a_read_waits_out_a_restart(platform: Platform, client: httpx.AsyncClient) -> None:
    child = platform.processes["voting"]
    before = child.pid
    platform.kill("voting")
    await wait_until(lambda: child.pid != before, 5, "the kill was noticed")
    assert (await client.get("/rounds/x")).status_code == 200


@pytest.mark.parametrize("name", sorted(NAMES))
async def test_whatever_dies_is_started_again(platform: Platform, client: httpx.AsyncClient, name: str) -> None:
    child = platform.processes[name]
    before, restarts = child.pid, child.restarts
    platform.kill(name, signal.SIGKILL)
    await wait_until(lambda: child.pid not in (None, before), 15, f"{name} runs again")
    await platform.ready()
    assert child.restarts > restarts
    assert pids(platform.home.folder).keys() == NAMES
    assert (await client.get("/")).status_code == 200


async def told_of(platform: Platform, metric: str) -> dict[str, float]:
    """A metric of the platform's own page, by process."""
    async with httpx.AsyncClient(trust_env=False) as outside:
        page = await outside.get(platform.urls["platform_metrics"])
    families = text_string_to_metric_families(page.text)
    samples = [sample for family in families for sample in family.samples if sample.name == metric]
    return {sample.labels.get("process", ""): sample.value for sample in samples}


async def test_the_platform_tells_of_its_own_processes(platform: Platform, client: httpx.AsyncClient) -> None:
    await platform.stop_process("valkey")
    up = await told_of(platform, "embedded_up")
    assert (up["valkey"], up["postgres"]) == (0, 1)
    await platform.start_process("valkey")
    restarts, before = await told_of(platform, "embedded_restarts_total"), platform.processes["valkey"].pid
    platform.kill("valkey", signal.SIGKILL)
    await wait_until(lambda: platform.processes["valkey"].pid not in (None, before), 15, "valkey runs again")
    await platform.ready()
    assert await told_of(platform, "embedded_up") == dict.fromkeys(NAMES, 1)
    assert (await told_of(platform, "embedded_restarts_total"))["valkey"] == restarts["valkey"] + 1
    memory = await told_of(platform, "embedded_memory_bytes")
    # Of PostgreSQL's many processes every one has all of the shared memory, which is there once.
    assert all(5e6 < each < 1e9 for each in memory.values()), memory
    assert (await told_of(platform, "embedded_cpu_seconds_total"))["postgres"] > 0
    assert (await told_of(platform, "embedded_disk_free_bytes"))[""] > 0


async def test_static_files_are_kept_by_browsers(client: httpx.AsyncClient) -> None:
    """Nothing outside the folder of assets is served, and an address that names its content may be kept for a year."""
    cached = (await client.get("/static/v-0123abcd4567/app.css")).headers["cache-control"]
    assert cached == "public, max-age=31536000, immutable"
    assert (await client.get("/static/app.css")).headers["cache-control"] == "no-cache"
    for path in ("/static/..%2fsettings.py", "/static/../../pyproject.toml", "/static/"):
        assert (await client.get(path)).status_code == 404


async def test_a_service_is_given_its_own_secrets_only(client: httpx.AsyncClient) -> None:
    known = set((await client.get("/api/scoring/environment")).json()["environment"])
    assert {"SCORING_DATABASE_URL", "SCORING_REDIS_URL", "TALLY_KEY_FILE", "STAFF_PUBLIC_KEY_FILE"} <= known
    foreign = {name for name in known if name.startswith(("VOTING_", "REGISTRY_"))}
    assert not foreign | (
        known & {"STAFF_SIGNING_KEY_FILE", "ADMIN_DATABASE_URL", "OPERATOR_REDIS_URL", "SMS_PROVIDER"}
    )


def test_what_the_caller_set_reaches_the_service_it_is_meant_for() -> None:
    caller = {
        "VOTING_POOL_MAX": "4",
        "SCORING_POOL_MAX": "2",
        "DATABASE_URL": "secret",
        "VOTING_PORT": "1",
        "PATH": "/",
    }
    given = service_environment("voting", {"VOTING_PORT": "8001", "REGISTRY_PORT": "8002"}, caller)
    assert given["VOTING_POOL_MAX"] == "4"
    assert given["VOTING_PORT"] == "8001"
    assert not {"SCORING_POOL_MAX", "DATABASE_URL", "REGISTRY_PORT"} & given.keys()


def test_the_platform_file_is_read_back_as_written(tmp_path: Path) -> None:
    from dotenv import dotenv_values

    values = {
        "A": "/home/o'brien/a b",
        "B": "back\\slash",
        "C": "postgresql://u:p@/d?host=/x",
        "D": "评选 #1",
        "E": "$HOME",
    }
    file = tmp_path / "platform.env"
    file.write_text(environment_text(values), "utf-8")
    assert dotenv_values(file, interpolate=False) == values


async def test_ctrl_c_leaves_no_process(tmp_path: Path) -> None:
    """And the second start is as good as the first, on the same data."""
    for _ in range(2):
        up = run_up(tmp_path / "home", "--port", str(free()))
        wait_for_line(up, "pingxuan is ready")
        running = pids(tmp_path / "home")
        assert running.keys() == NAMES
        up.send_signal(signal.SIGINT)
        assert up.wait(15) == 0
        up.communicate()
        assert not any(map(lives, running.values()))


async def test_a_killed_supervisor_takes_everything_along(tmp_path: Path) -> None:
    up = run_up(tmp_path / "home", "--port", str(free()))
    wait_for_line(up, "pingxuan is ready")
    running = pids(tmp_path / "home")
    up.kill()
    up.communicate()
    await wait_until(lambda: not any(map(lives, running.values())), 15, "everything is gone")
    again = run_up(tmp_path / "home", "--port", str(free()))
    wait_for_line(again, "pingxuan is ready")
    again.terminate()
    again.communicate(timeout=20)


@pytest.mark.parametrize("option", ["--port", "--voting-port"])
def test_an_asked_port_that_is_taken(tmp_path: Path, taken: int, option: str) -> None:
    """One sentence, exit 2, and nothing was started."""
    up = run_up(tmp_path / "home", option, str(taken))
    _, said = up.communicate(timeout=20)
    assert up.returncode == 2
    assert said.startswith(f"Error: port {taken} for ")
    assert said.count("\n") == 1
    assert not (tmp_path / "home" / "postgres" / "data").exists()


def test_a_service_that_cannot_start_is_named(tmp_path: Path) -> None:
    """Its own last words are part of the message; nothing is left running."""
    os.environ["SMALL_SERVICE_FAILS"] = "scoring"
    try:
        up = run_up(tmp_path / "home", "--port", str(free()))
        _, said = up.communicate(timeout=30)
    finally:
        del os.environ["SMALL_SERVICE_FAILS"]
    assert up.returncode == 1
    assert "scoring ended during its start (exit 1)" in said
    assert "its last words: scoring cannot start: it was told not to" in said
    assert pids(tmp_path / "home") == {}


def test_a_second_up_on_one_home_is_refused(tmp_path: Path) -> None:
    first = run_up(tmp_path / "home", "--port", str(free()))
    wait_for_line(first, "pingxuan is ready")
    second = run_up(tmp_path / "home", "--port", str(free()))
    _, said = second.communicate(timeout=20)
    assert second.returncode == 2
    assert f"another pingxuan runs on {tmp_path / 'home'} (process {first.pid})" in said
    assert platform_file(tmp_path / "home")["supervisor"] == first.pid
    first.terminate()
    assert first.wait(15) == 0
    first.communicate()


async def test_stopping_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    up = run_up(tmp_path / "home", "--port", str(free()))
    await wait_until(lambda: (tmp_path / "home" / "run" / "platform.json").exists(), 20, "the first process runs")
    running = pids(tmp_path / "home")
    up.terminate()
    assert up.wait(15) == 0
    up.communicate()
    assert not any(map(lives, running.values()))
    assert pids(tmp_path / "home") == {}, "stopped in order, not only by the death of the supervisor"
