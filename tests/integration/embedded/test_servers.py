"""PostgreSQL and Valkey under one home: they start, stop, keep what was written, and come back after any crash."""

import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio as redis

from services.cli.embedded.home import Home, HomeInUse, PlatformError
from services.cli.embedded.keys import ensure_keys
from services.cli.embedded.postgres import has_nobody_to_write
from services.cli.embedded.processes import children_of, title_of
from services.cli.supervisor import PlatformServers
from tests.integration.embedded.support import lives, pids, run_program, wait_for_line, wait_until

AtHome = Callable[[], PlatformServers]


async def write(servers: PlatformServers, word: str) -> None:
    connection = await asyncpg.connect(servers.admin_database_url)
    await connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
    await connection.execute("INSERT INTO words VALUES ($1)", word)
    await connection.close()


async def words(servers: PlatformServers) -> list[str]:
    connection = await asyncpg.connect(servers.admin_database_url)
    rows = await connection.fetch("SELECT word FROM words ORDER BY word")
    await connection.close()
    return [row["word"] for row in rows]


async def test_data_survives_a_stop_and_a_start(at_home: AtHome) -> None:
    """What was written is there after an orderly stop; the second start takes under three seconds."""
    async with at_home() as servers:
        await write(servers, "kept")
        client = redis.from_url(servers.operator_redis_url)
        await client.set("registry.kept", "yes")
        await client.aclose()
    started = time.monotonic()
    async with at_home() as servers:
        assert time.monotonic() - started < 3
        assert await words(servers) == ["kept"]
        client = redis.from_url(servers.operator_redis_url)
        assert await client.get("registry.kept") == b"yes"
        await client.aclose()


async def test_nothing_runs_after_the_stop(at_home: AtHome) -> None:
    async with at_home() as servers:
        running = [child.pid for child in servers.processes.values()]
        assert len(running) == 2
    assert not any(pid and lives(pid) for pid in running)
    assert pids(servers.home.folder) == {}


@pytest.mark.parametrize("name", ["postgres", "valkey"])
async def test_a_killed_server_comes_back_by_itself(at_home: AtHome, name: str) -> None:
    """Signal 9 to the server: it is started again, at the same address, with everything that was committed."""
    async with at_home() as servers:
        await write(servers, "committed")
        child = servers.processes[name]
        before = child.pid
        servers.kill(name)
        await wait_until(lambda: child.pid not in (None, before), 10, f"{name} started again")
        await child.ready(15)
        assert child.restarts >= 1
        assert await words(servers) == ["committed"]


async def test_a_server_that_is_stuck_is_ended_and_comes_back(at_home: AtHome) -> None:
    """A postmaster that lives on with nobody to write or to recover will never work again, and hears no request."""
    async with at_home() as servers:
        await write(servers, "committed")
        child = servers.processes["postgres"]
        before = child.pid
        assert before is not None
        titles = {title_of(pid): pid for pid in children_of(before)}
        assert not has_nobody_to_write(before)
        os.kill(before, signal.SIGSTOP)
        os.kill(next(pid for title, pid in titles.items() if title.startswith("postgres: walwriter")), signal.SIGKILL)
        await wait_until(lambda: has_nobody_to_write(before), 5, "nobody writes")
        await wait_until(lambda: child.pid not in (None, before), 20, "postgres started again")
        await child.ready(15)
        assert await words(servers) == ["committed"]


async def test_servers_die_with_a_killed_supervisor(tmp_path: Path, at_home: AtHome) -> None:
    """Signal 9 to the supervisor leaves no server behind, and the next start finds the data."""
    async with at_home() as servers:
        await write(servers, "before")
    victim = run_program("run_servers.py", str(tmp_path / "home"))
    wait_for_line(victim, "ready")
    running = pids(tmp_path / "home")
    victim.kill()
    victim.communicate()
    await wait_until(lambda: not any(map(lives, running.values())), 10, "the servers are gone")
    async with at_home() as servers:
        assert await words(servers) == ["before"]


async def test_servers_that_outlived_their_supervisor_are_ended(tmp_path: Path, at_home: AtHome) -> None:
    """Stopped processes hear no signal: the next start ends them before it touches their data."""
    victim = run_program("run_servers.py", str(tmp_path / "home"))
    wait_for_line(victim, "ready")
    running = pids(tmp_path / "home")
    for pid in running.values():
        os.kill(pid, signal.SIGSTOP)
    victim.kill()
    victim.communicate()
    assert all(map(lives, running.values()))
    async with at_home() as servers:
        assert not any(map(lives, running.values()))
        await write(servers, "after")


async def test_a_lock_file_naming_a_foreign_process_does_not_matter(at_home: AtHome) -> None:
    """After a restart of a container the old postmaster's id often belongs to something else."""
    async with at_home() as servers:
        data = servers.home.postgres_data
    foreign = subprocess.Popen(["sleep", "60"])  # noqa: ASYNC220
    try:
        (data / "postmaster.pid").write_text(f"{foreign.pid}\n{data}\n1\n5432\n\n\n", "ascii")
        async with at_home():
            assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait()


async def test_a_home_has_one_supervisor(at_home: AtHome) -> None:
    async with at_home():
        with pytest.raises(HomeInUse, match=rf"another pingxuan runs on .* \(process {os.getpid()}\)"):
            await at_home().__aenter__()


async def test_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    """The socket then lies in a private temporary folder, the same one at the next start."""
    home = tmp_path / ("long" * 20) / ("path" * 20)
    folders = []
    for _ in range(2):
        async with PlatformServers(home, database_url="", redis_url="") as servers:
            await write(servers, "far down")
            folders.append(servers.home.socket_folder())
    assert folders[0] == folders[1]
    assert stat.S_IMODE(folders[0].stat().st_mode) == 0o700
    shutil.rmtree(folders[0])


async def test_no_permission_above_the_home_changes(tmp_path: Path) -> None:
    """Not even where a folder on the way is closed to everybody else."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    above = [closed, *closed.parents]

    def look() -> list[tuple[int, int, int]]:
        return [(status.st_mode, status.st_uid, status.st_gid) for status in (folder.stat() for folder in above)]

    before = look()
    async with PlatformServers(closed / "home", database_url="", redis_url="") as servers:
        await write(servers, "inside")
    assert look() == before


async def test_everything_in_the_home_is_private(servers: PlatformServers) -> None:
    for path in [servers.home.folder, servers.home.environment_file, *servers.home.keys.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


async def test_keys_are_never_made_twice(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    first = ensure_keys(home)
    content = {path.name: path.read_bytes() for path in home.keys.iterdir() if path.is_file()}
    assert ensure_keys(home) == first
    assert {path.name: path.read_bytes() for path in home.keys.iterdir() if path.is_file()} == content
    (home.keys / "master.key").write_text("", "ascii")
    with pytest.raises(PlatformError, match=r"master\.key is empty: put it back from a backup"):
        ensure_keys(home)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("log_min_messages", "log"),
    ],
)
async def test_postgres_is_durable_and_discreet(servers: PlatformServers, setting: str, value: str) -> None:
    connection = await asyncpg.connect(servers.admin_database_url)
    assert await connection.fetchval(f"SHOW {setting}") == value
    await connection.close()


async def test_what_a_person_typed_never_reaches_the_log(servers: PlatformServers) -> None:
    """Neither a failing statement, nor its parameters, nor what the error's own text quotes of them."""
    connection = await asyncpg.connect(servers.admin_database_url)
    await connection.execute("CREATE TEMP TABLE phones (phone text PRIMARY KEY)")
    for _ in range(2):
        try:
            await connection.execute("INSERT INTO phones VALUES ($1)", "13800138000")
        except asyncpg.UniqueViolationError as error:
            assert "13800138000" in str(error.detail)  # noqa: PT017
    with pytest.raises(asyncpg.PostgresError):
        await connection.execute("SELECT '13800138000'::boolean")
    await connection.close()
    log = servers.home.log("postgres").read_text("utf-8")
    assert "ready to accept connections" in log
    assert "13800138000" not in log
