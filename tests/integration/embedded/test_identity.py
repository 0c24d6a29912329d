"""PostgreSQL refuses root; `pingxuan up` runs as root all the same, by whichever way the machine allows."""

import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from services.cli.embedded import launch
from services.cli.embedded.home import Home
from services.cli.embedded.postgres import choose_identity
from tests.integration.embedded.support import HERE, pids, run_program, wait_for_line

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="what happens to root is tested as root")
WITHOUT_NAMESPACES = (sys.executable, str(HERE / "without_user_namespaces.py"))


def in_namespace(uid: int) -> tuple[str, ...]:
    """A command's prefix that makes root look like an ordinary user to it."""
    return (sys.executable, launch.__file__, "--identity", f"namespace:{uid}:{uid}", "--")


@as_root
async def test_root_is_another_user_inside_a_namespace(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    assert (await choose_identity(home)).startswith("namespace:")
    assert home.postgres.stat().st_uid == 0


@as_root
@pytest.mark.parametrize("uid", [65534, 54321], ids=["with a name", "without a name"])
def test_an_ordinary_user(tmp_path: Path, uid: int) -> None:
    """Also one whose number has no name, as containers like to have it."""
    servers = run_program("run_servers.py", str(tmp_path / "home"), prefix=in_namespace(uid))
    try:
        wait_for_line(servers, "ready")
    finally:
        servers.send_signal(signal.SIGINT)
        servers.communicate(timeout=20)
    assert pids(tmp_path / "home") == {}


@as_root
def test_where_namespaces_are_forbidden_an_account_does_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where the account can get to the home; no folder above the home changes, inside it only PostgreSQL's does."""
    place = Path("/var/tmp") / f"pingxuan-test-{os.getpid()}"
    place.mkdir(mode=0o755)
    home = place / "home"
    try:
        above = [folder.stat().st_mode for folder in (place, *place.parents)]
        servers = run_program("run_servers.py", str(home), prefix=WITHOUT_NAMESPACES)
        wait_for_line(servers, "ready")
        assert (home / "postgres").stat().st_uid != 0
        assert stat.S_IMODE((home / "keys").stat().st_mode) == 0o700
        os.killpg(servers.pid, signal.SIGINT)
        servers.communicate(timeout=20)
        assert [folder.stat().st_mode for folder in (place, *place.parents)] == above
    finally:
        remove(place)


@as_root
def test_where_nothing_works_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    """pytest's own folder is closed to every account."""
    servers = run_program("run_servers.py", str(tmp_path / "home"), prefix=WITHOUT_NAMESPACES)
    _, said = servers.communicate(timeout=30)
    assert servers.returncode != 0
    assert "start pingxuan as an ordinary user with a home of its own, or set DATABASE_URL" in said
    assert (tmp_path / "home" / "postgres").stat().st_uid == 0
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)
