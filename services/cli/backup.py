"""`pingxuan backup` and `pingxuan restore`: the embedded platform's data, to any moment that its archive covers.

Keys are never part of it. A restore begins a new epoch of the ledger and of every stream, so that what Valkey remembers
of the undone future counts for nothing. `--rehearse` does the same beside the running platform and throws it away.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import click

from services.cli.audit import violations
from services.cli.client import CheckFailed, CommandFailed, progress
from services.cli.embedded import databases
from services.cli.embedded.backups import BackupError, BackupFolder, archive_fails, copy_files, prune, take_base
from services.cli.embedded.home import Home, HomeLock, PlatformError
from services.cli.embedded.keys import SERVICES
from services.cli.embedded.postgres import can_connect
from services.cli.embedded.processes import end_orphans
from services.cli.embedded.recovery import Recovered, choose, recover
from services.shared.settings import environment

_PASSWORD_FILE = "postgres_admin.password"


class Moment(click.ParamType[datetime]):
    """A time as RFC 3339 with its offset: 2026-11-23T18:30:00+08:00."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time; write it like 2026-11-23T18:30:00+08:00", param, ctx)
        if moment.tzinfo is None:
            self.fail(f"{value!r} names no offset; write it like 2026-11-23T18:30:00+08:00", param, ctx)
        return moment


@click.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--keep", type=click.IntRange(min=1), help="Afterwards keep so many base backups and the WAL they need.")
def backup(folder: Path | None, keep: int | None) -> None:
    """Take a base backup of the running platform into FOLDER, and copy the files people handed in.

    FOLDER is the one that `pingxuan up --backup` archives into, unless told otherwise. Keys are not in it: copy them
    apart, and the rounds' identity keys nowhere where they cannot be destroyed.

    \b
    Example:
      pingxuan backup --keep 7
    """
    started, home, known = time.monotonic(), Home.at(), environment()
    archived = known.get("PINGXUAN_BACKUP", "")
    if folder is None and not archived:
        raise CommandFailed("name a folder: this platform was started without --backup")
    place = BackupFolder((folder or Path(archived)).expanduser().absolute())
    url = _embedded_url(home, known)
    try:
        place.create()
        progress("taking a base backup …")
        base = take_base(place, url)
        copied = copy_files(_attachments(home, known), place.attachments)
        gone = prune(place, keep) if keep else []
    except (PlatformError, OSError) as error:
        raise CommandFailed(str(error)) from None
    click.echo(f"{base.path}: checked, {_size_mb(base.path)} MB in {time.monotonic() - started:.1f} s")
    click.echo(f"files handed in: {copied} new; base backups removed: {len(gone)}, kept: {len(place.whole())}")
    if archived != str(place.folder):
        click.echo("no archive goes on from here: only this very moment can be restored")
    elif asyncio.run(archive_fails(url)):
        raise CheckFailed(f"the base backup stands, but {place.wal} takes nothing in: is it full, or gone?")


def _embedded_url(home: Home, known: dict[str, str]) -> str:
    url = known.get("ADMIN_DATABASE_URL", "")
    if not url or not home.postgres_data.is_dir():
        raise CommandFailed(
            "this home runs no PostgreSQL of its own: start `pingxuan up`, set PINGXUAN_HOME, or back your server up "
            "with its own tools (deploy/README.md, Backups)"
        )
    if not asyncio.run(can_connect(url)):
        raise CommandFailed("PostgreSQL does not answer: a base backup is taken while `pingxuan up` runs")
    return url


def _attachments(home: Home, known: dict[str, str]) -> Path:
    return Path(known.get("REGISTRY_ATTACHMENTS_FOLDER") or home.folder / "attachments")


def _size_mb(folder: Path) -> int:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--at", type=Moment(), help="The moment to go back to, with its offset; default: all there is.")
@click.option("--rehearse", is_flag=True, help="Restore beside the platform, check every invariant, throw it away.")
def restore(folder: Path, at: datetime | None, rehearse: bool) -> None:
    """Bring this home's databases to a moment of the backup in FOLDER; the platform must be stopped.

    What was there before stays beside it until you remove it. The keys must be in the home's keys/ already.

    \b
    Example:
      pingxuan restore /mnt/backup --at 2026-11-23T18:30:00+08:00
      pingxuan restore /mnt/backup --rehearse
    """
    place, home = BackupFolder(folder.absolute()), Home.at()
    try:
        told = asyncio.run(_rehearse(home, place, at) if rehearse else _restore(home, place, at))
    except (PlatformError, OSError, asyncpg.PostgresError) as error:
        raise CommandFailed((str(error).splitlines() or [type(error).__name__])[0]) from None
    click.echo(told)


async def _restore(home: Home, place: BackupFolder, at: datetime | None) -> str:
    home.create()
    lock = HomeLock(home)
    lock.acquire()
    try:
        await end_orphans(home)
        progress("restoring …")
        found = await recover(home, place, at, _password(home), _begin_epoch, archives=True)
    finally:
        lock.release()
    undone = place.abandon(at) if at is not None else []
    copied = copy_files(place.attachments, _attachments(home, environment()))
    lines = [_told(found), f"files handed in: {copied} put back"]
    lines += [f"{each.path.name} belongs to the future that was undone and is set aside" for each in undone]
    if found.before is not None:
        lines.append(f"what was there before: {found.before}")
    return "\n".join([*lines, "start it with `pingxuan up`, then take a new base backup"])


async def _begin_epoch(url: str) -> None:
    """Hints of before the restore count for nothing, whatever the server's own timeline says."""
    from services.voting.ledger import begin_epoch

    connection = await asyncpg.connect(databases.database_url(url, databases.Names().database("voting")), timeout=10)
    try:
        await begin_epoch(connection)
    finally:
        await connection.close()


async def _rehearse(home: Home, place: BackupFolder, at: datetime | None) -> str:
    """The same recovery in a home of its own, whose audit must be silent; raises CheckFailed where it is not."""
    password, beside = _password(home), Home(home.folder / "rehearsal")
    choose(place, at)
    beside.create()
    lock = HomeLock(beside)
    lock.acquire()
    broken: list[str] = []

    async def check(url: str) -> None:
        names = databases.Names()
        urls = {service: databases.database_url(url, names.database(service)) for service in SERVICES}
        broken.extend(f"{service}: {name}" for service, name, _ in await violations(urls))

    try:
        progress("rehearsing …")
        shutil.rmtree(beside.postgres_data, ignore_errors=True)
        found = await recover(beside, place, at, password, check, archives=False)
    finally:
        lock.release()
        shutil.rmtree(beside.folder, ignore_errors=True)
    if broken:
        raise CheckFailed(f"the backup was restored and is broken: {'; '.join(broken)}")
    return f"{_told(found)}\nevery invariant holds; nothing was changed"


def _password(home: Home) -> str:
    try:
        return (home.keys / _PASSWORD_FILE).read_text("ascii").strip()
    except OSError:
        raise BackupError(f"{home.keys / _PASSWORD_FILE} is missing: put the home's keys back first") from None


def _told(found: Recovered) -> str:
    until = found.until or found.base.ended_at
    took = f"copied in {found.copied_s:.1f} s, replayed in {found.replayed_s:.1f} s"
    return f"restored to {until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} from {found.base.path.name}: {took}"
