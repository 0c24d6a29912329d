"""Backup folders: which base backup a moment needs, what is set aside, which files are copied."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli import rebuild, round_holds
from services.cli.backup import restore
from services.cli.embedded.backups import BackupError, BackupFolder, copy_files
from services.cli.embedded.home import Home, PlatformError
from services.cli.embedded.postgres import ensure_cluster
from services.cli.embedded.recovery import choose, put_aside
from services.shared import messages
from services.voting.holds import HoldReason

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> BackupFolder:
    """Base backups of ten, eleven and twelve o'clock, one that never ended and one of an undone future."""
    made = BackupFolder(tmp_path / "backup")
    made.create()
    names = ["20261123T100000Z", "20261123T110000Z", "20261123T120000Z", "unfinished", "20261123T130000Z.abandoned"]
    for name in names:
        (made.bases / name).mkdir()
    return made


def test_the_newest_base_backup_before_a_moment_is_chosen(folder: BackupFolder) -> None:
    assert choose(folder, None).ended_at == NOON
    assert choose(folder, NOON).ended_at == NOON
    assert choose(folder, NOON - timedelta(seconds=1)).ended_at == NOON - timedelta(hours=1)
    with pytest.raises(BackupError, match=r"oldest base backup .* is of 2026-11-23T10:00:00"):
        choose(folder, NOON - timedelta(hours=3))
    with pytest.raises(BackupError, match="holds no base backup"):
        choose(BackupFolder(folder.folder / "elsewhere"), None)


def test_base_backups_of_an_undone_future_are_set_aside(folder: BackupFolder) -> None:
    """No recovery leads on from them: the next one must not choose them."""
    undone = folder.abandon(NOON - timedelta(minutes=90))
    assert [each.ended_at for each in undone] == [NOON - timedelta(hours=1), NOON]
    assert choose(folder, None).ended_at == NOON - timedelta(hours=2)


async def test_a_restore_that_was_cut_off_is_taken_up_with_the_data_of_before(tmp_path: Path) -> None:
    """Killed half-way it leaves half a folder: starting on that is refused, restoring again finds what was there."""
    home = Home(tmp_path / "home")
    home.create()
    home.postgres_data.mkdir()
    (home.postgres_data / "PG_VERSION").write_text("18", "ascii")
    before = put_aside(home)
    assert before is not None
    home.postgres_data.mkdir()
    with pytest.raises(PlatformError, match="was cut off: run `pingxuan restore` again"):
        await ensure_cluster(home, "direct", "secret")
    assert put_aside(home) == before
    assert (before / "PG_VERSION").read_text("ascii") == "18"
    assert not home.postgres_data.exists()


def test_files_are_copied_once_and_only_when_they_are_what_they_say(tmp_path: Path) -> None:
    source, target = tmp_path / "attachments", tmp_path / "backup"
    name = hashlib.sha256(b"scan").hexdigest()
    place = source / name[:2] / name[2:4]
    place.mkdir(parents=True)
    (place / name).write_bytes(b"scan")
    assert (copy_files(source, target), copy_files(source, target)) == (1, 0)
    assert (target / name[:2] / name[2:4] / name).read_bytes() == b"scan"
    other = place / ("0" * 64)
    other.write_bytes(b"changed on disk")
    with pytest.raises(BackupError, match="is not what its name says"):
        copy_files(source, target)
    assert [path.name for path in target.rglob("*") if path.is_file()] == [name]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "postgres_admin.password is missing: put the home's keys back first"),
        (["--rehearse"], "postgres_admin.password is missing"),
        (["--at", "2026-11-23T12:00:00"], "names no offset; write it like"),
        (["--at", "noon"], "is no time; write it like"),
    ],
)
def test_a_restore_that_cannot_be_is_one_sentence(
    folder: BackupFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], told: str
) -> None:
    monkeypatch.setenv("PINGXUAN_HOME", str(tmp_path / "home"))
    result = CliRunner().invoke(restore, [str(folder.folder), *arguments])
    assert result.exit_code == 2
    assert told in result.output
    assert not (tmp_path / "home" / "postgres" / "data").exists()


def test_the_commands_know_the_services_words() -> None:
    streams = {
        text for name, text in vars(messages).items() if name.isupper() and isinstance(text, str) and "." in text
    }
    assert set(rebuild.STREAMS) == streams
    assert tuple(HoldReason) == round_holds.REASONS
