"""A backup folder: base backups, the archive of the write-ahead log between them, and the files people handed in.

Invariant: what bears its final name is whole and was checked; no key ever lies here. PostgreSQL's own tools do the
work: `basic_archive` while the server runs, `pg_basebackup`, `pg_verifybackup`, `pg_archivecleanup` for the rest.
Used by `pingxuan up --backup`, `pingxuan backup` and `pingxuan restore`.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

from services.cli.embedded.home import PlatformError
from services.cli.embedded.postgres import binary

# What happened longer ago than this is in the archive, however little is written.
ARCHIVE_TIMEOUT_S = 60
_NAME = "%Y%m%dT%H%M%SZ"
_ABANDONED = ".abandoned"
_FIRST_SEGMENT = re.compile(r"^START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)$", re.MULTILINE)


class BackupError(PlatformError):
    """A backup cannot be taken or used; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Base:
    """A whole base backup; with the archive's WAL it leads to any moment from `ended_at` on."""

    path: Path
    ended_at: datetime

    @property
    def first_segment(self) -> str:
        """The WAL file with which its recovery begins."""
        found = _FIRST_SEGMENT.search((self.path / "backup_label").read_text("utf-8"))
        if found is None:
            raise BackupError(f"{self.path} has no readable backup_label: it is no base backup, move it away")
        return found[1]


@dataclass(frozen=True)
class BackupFolder:
    """Paths under one backup folder."""

    folder: Path

    @property
    def wal(self) -> Path:
        return self.folder / "wal"

    @property
    def bases(self) -> Path:
        return self.folder / "base"

    @property
    def attachments(self) -> Path:
        return self.folder / "attachments"

    def create(self) -> None:
        """Make the folders, 0700 each; raises BackupError where that is impossible."""
        try:
            for each in (self.folder, self.wal, self.bases, self.attachments):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or "it cannot be written"
            raise BackupError(f"cannot back up into {self.folder} ({reason}): name a folder you own") from None

    def whole(self) -> list[Base]:
        """The base backups that can be restored, oldest first."""
        found = []
        for path in self.bases.iterdir() if self.bases.is_dir() else ():
            try:
                found.append(Base(path, datetime.strptime(path.name, _NAME).replace(tzinfo=UTC)))
            except ValueError:
                continue
        return sorted(found, key=lambda each: each.ended_at)

    def abandon(self, after: datetime) -> list[Base]:
        """Set aside the base backups of a future that a restore has undone: no recovery leads on from them."""
        undone = [each for each in self.whole() if each.ended_at > after]
        for each in undone:
            each.path.rename(each.path.with_name(each.path.name + _ABANDONED))
        return undone


def archive_settings(folder: BackupFolder) -> dict[str, str]:
    """PostgreSQL's settings for a continuous archive; `basic_archive` syncs a file before it gets its name."""
    return {
        "archive_mode": "on",
        "archive_library": "basic_archive",
        "basic_archive.archive_directory": str(folder.wal),
        "archive_timeout": f"{ARCHIVE_TIMEOUT_S}s",
    }


def take_base(folder: BackupFolder, url: str) -> Base:
    """A base backup of the running server, checked against its own manifest before it gets its name."""
    unfinished = folder.bases / "unfinished"
    with _alone(folder):
        shutil.rmtree(unfinished, ignore_errors=True)
        options = [f"--pgdata={unfinished}", "--checkpoint=fast", "--wal-method=stream", "--no-password"]
        _run("pg_basebackup", f"--dbname={_without_password(url)}", *options, "--manifest-checksums=SHA256", url=url)
        _run("pg_verifybackup", "--quiet", str(unfinished))
        # Rounded up: a recovery to this very second must not end before the backup did.
        ended_at = datetime.fromtimestamp(math.ceil(datetime.now(UTC).timestamp()), UTC)
        base = Base(folder.bases / ended_at.strftime(_NAME), ended_at)
        unfinished.rename(base.path)
        _sync(folder.bases)
    return base


async def archive_fails(url: str) -> bool:
    """Whether the server could not archive its newest segment: its disk fills until it can."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        failing: bool = await connection.fetchval(
            "SELECT coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) FROM pg_stat_archiver"
        )
    finally:
        await connection.close()
    return failing


def copy_files(source: Path, target: Path) -> int:
    """Copy what is missing of a folder of files named by their SHA-256; returns how many came, each checked."""
    copied = 0
    for path in sorted(source.glob("??/??/*")):
        place = target / path.relative_to(source)
        if place.exists():
            continue
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = place.with_name(f".{place.name}.{os.getpid()}")
        with path.open("rb") as reader, aside.open("wb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
            writer.flush()
            os.fsync(writer.fileno())
        with aside.open("rb") as reader:
            digest = hashlib.file_digest(reader, "sha256").hexdigest()
        if digest != path.name:
            aside.unlink()
            raise BackupError(f"the file {path} is not what its name says: put it back from an older backup")
        aside.chmod(0o400)
        aside.rename(place)
        copied += 1
    return copied


def prune(folder: BackupFolder, keep: int) -> list[Base]:
    """Remove all but the newest `keep` base backups and the WAL that none of them needs; returns what went."""
    with _alone(folder):
        bases = folder.whole()
        gone, kept = bases[:-keep], bases[-keep:]
        for each in gone:
            shutil.rmtree(each.path)
        if kept:
            _run("pg_archivecleanup", str(folder.wal), kept[0].first_segment)
    return gone


@contextmanager
def _alone(folder: BackupFolder) -> Iterator[None]:
    """Two backups into one folder at once would take each other's unfinished files for their own."""
    with (folder.folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"another backup into {folder.folder} is under way: wait for its end") from None
        yield


def _run(name: str, *arguments: str, url: str = "") -> None:
    """One of PostgreSQL's tools; raises BackupError with its last words."""
    environment: Mapping[str, str] = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PGPASSWORD": _password(url)}
    done = subprocess.run([binary(name), *arguments], env=environment, capture_output=True, check=False)
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise BackupError(f"{name} failed ({(words or ['no reason given'])[-1][:300]}): free space or rights?")


def _password(url: str) -> str:
    return unquote(urlsplit(url).password or "")


def _without_password(url: str) -> str:
    """The URL for a command line, which everybody on the machine may read."""
    parts = urlsplit(url)
    _, _, place = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, f"{parts.username}@{place}", parts.path, parts.query, ""))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
