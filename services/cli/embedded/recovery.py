"""A home's PostgreSQL brought to a moment of a backup folder: base backup, then the archive's WAL, then a new timeline.

Invariant: until the recovered server was promoted and stopped cleanly, the data that was there before lies beside it
and is put back by whatever fails. Used by `pingxuan restore`, also in a rehearsal's home of its own.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from services.cli.embedded import postgres
from services.cli.embedded.backups import BackupError, BackupFolder, Base, archive_settings
from services.cli.embedded.child import Child
from services.cli.embedded.home import Home, StartFailed, write_private

# A week's WAL of a city takes minutes; this only ends a recovery that hangs.
REPLAYED_WITHIN_S = 12 * 3600.0
ARCHIVED_WITHIN_S = 60.0
_SEGMENT = re.compile(r"[0-9A-F]{24}|[0-9A-F]{8}\.history")
_TOO_FAR = "recovery ended before configured recovery target was reached"


@dataclass(frozen=True)
class Recovered:
    """What came back: `until` is when its last transaction committed (None: nothing after the base backup)."""

    base: Base
    until: datetime | None
    copied_s: float
    replayed_s: float
    before: Path | None


def choose(folder: BackupFolder, at: datetime | None) -> Base:
    """The newest base backup that ended by then; raises BackupError where there is none."""
    bases = folder.whole()
    if not bases:
        raise BackupError(f"{folder.folder} holds no base backup: name the folder that `pingxuan backup` wrote")
    fitting = [each for each in bases if at is None or each.ended_at <= at]
    if not fitting:
        oldest = bases[0].ended_at.isoformat(timespec="seconds")
        raise BackupError(f"the oldest base backup in {folder.folder} is of {oldest}: ask for a moment after it")
    return fitting[-1]


async def recover(
    home: Home,
    folder: BackupFolder,
    at: datetime | None,
    password: str,
    then: Callable[[str], Awaitable[None]],
    *,
    archives: bool,
) -> Recovered:
    """Replace the data of `home`, whose lock the caller holds; `then` sees the promoted server's URL before it stops.

    With `archives` the new timeline goes on in the archive; a rehearsal must not write there.
    """
    base, started = choose(folder, at), time.monotonic()
    identity = await postgres.choose_identity(home)
    before = put_aside(home)
    try:
        _lay(home, folder, base, before)
        copied_s = time.monotonic() - started
        until = await _replay(home, folder, at, identity, password, then, archives=archives)
    except BaseException:
        shutil.rmtree(home.postgres_data, ignore_errors=True)
        if before is not None:
            before.rename(home.postgres_data)
        postgres.cut_off(home).unlink(missing_ok=True)
        raise
    postgres.cut_off(home).unlink()
    return Recovered(base, until, copied_s, time.monotonic() - started - copied_s, before)


def put_aside(home: Home) -> Path | None:
    """Where the data that was there lies now. A restore that was cut off is taken up with what it had put aside."""
    note = postgres.cut_off(home)
    if note.exists() and (known := home.postgres / note.read_text("ascii")).is_dir() and known != home.postgres:
        shutil.rmtree(home.postgres_data, ignore_errors=True)
        return known
    before = home.postgres / f"data.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    write_private(note, before.name)
    if not home.postgres_data.exists():
        return None
    home.postgres_data.rename(before)
    return before


def _lay(home: Home, folder: BackupFolder, base: Base, before: Path | None) -> None:
    """The base backup as the data folder, with what the old data's WAL has and the archive has not."""
    shutil.copytree(base.path, home.postgres_data, symlinks=True)
    (home.postgres_data / "recovery.signal").touch(mode=0o600)
    wal = home.postgres_data / "pg_wal"
    for path in (before / "pg_wal").iterdir() if before is not None else ():
        if _SEGMENT.fullmatch(path.name) and not (folder.wal / path.name).exists():
            shutil.copyfile(path, wal / path.name)
    owner = home.postgres.stat()
    for place, _, names in os.walk(home.postgres_data):
        os.chmod(place, 0o700)
        for each in (place, *(os.path.join(place, name) for name in names)):
            if os.lstat(each).st_uid != owner.st_uid:
                os.chown(each, owner.st_uid, owner.st_gid, follow_symlinks=False)


async def _replay(
    home: Home,
    folder: BackupFolder,
    at: datetime | None,
    identity: str,
    password: str,
    then: Callable[[str], Awaitable[None]],
    *,
    archives: bool,
) -> datetime | None:
    """Start, wait for the promotion, let `then` work, stop; returns the last transaction's time."""
    settings = _recovery_settings(folder, at) | (archive_settings(folder) if archives else {})
    url = postgres.admin_url(password, home.socket_folder())
    spec = replace(postgres.postgres_child(home, identity, password, settings), is_ready=lambda: _is_promoted(url))
    said_before = _size(spec.log)
    child = Child(spec, lambda: None)
    await child.start()
    try:
        await child.ready(REPLAYED_WITHIN_S)
        until = await _last_transaction(url)
        if archives:
            await _archived(url, folder)
        await then(url)
    except StartFailed:
        if _TOO_FAR in _since(spec.log, said_before):
            raise BackupError(
                "the archive ends before that moment: ask for an earlier one, or leave --at out"
            ) from None
        raise
    finally:
        await child.stop()
    return until


def _recovery_settings(folder: BackupFolder, at: datetime | None) -> dict[str, str]:
    source = shlex.quote(str(folder.wal).replace("%", "%%"))
    settings = {"restore_command": f'cp {source}/%f "%p"', "recovery_target_action": "promote"}
    return settings if at is None else settings | {"recovery_target_time": at.isoformat()}


async def _is_promoted(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=4)
    except (asyncpg.PostgresError, OSError):
        return False
    try:
        return not await connection.fetchval("SELECT pg_is_in_recovery()")
    finally:
        await connection.close()


async def _last_transaction(url: str) -> datetime | None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        found: datetime | None = await connection.fetchval("SELECT pg_last_xact_replay_timestamp()")
        return found
    finally:
        await connection.close()


async def _archived(url: str, folder: BackupFolder) -> None:
    """Wait until the new timeline stands in the archive: a later restore must not choose its number again."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        timeline = await connection.fetchval("SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)")
    finally:
        await connection.close()
    deadline = time.monotonic() + ARCHIVED_WITHIN_S
    while not (folder.wal / f"{timeline}.history").exists():
        if time.monotonic() > deadline:
            raise BackupError(f"{folder.wal} takes nothing in: is it full, or not PostgreSQL's to write?")
        await asyncio.sleep(0.1)


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _since(log: Path, offset: int) -> str:
    with log.open("rb") as file:
        file.seek(offset)
        return file.read().decode("utf-8", "replace")
