"""The vault keeps whole bytes under their hash or nothing; the scanner's word is believed only where it was said."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.registry.attachments.scanning import Scanner, Verdict
from services.registry.attachments.vault import FolderVault
from services.shared.errors import ConfigurationError

CONTENT = b"some bytes" * 100_000


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_bytes_are_found_under_their_hash_and_twice_is_once(tmp_path: Path) -> None:
    vault = FolderVault(tmp_path / "files")
    for _ in range(2):
        kept = vault.put(io.BytesIO(CONTENT), lambda path: None)
        assert (kept.sha256, kept.bytes) == (hashlib.sha256(CONTENT).digest(), len(CONTENT))
    with vault.open(kept.sha256) as file:
        assert file.read() == CONTENT
    [only] = files_in(tmp_path)
    assert only.name == kept.sha256.hex()
    assert only.stat().st_mode & 0o377 == 0
    with pytest.raises(FileNotFoundError):
        vault.open(bytes(32))


def test_what_the_inspection_refuses_leaves_nothing(tmp_path: Path) -> None:
    vault = FolderVault(tmp_path / "files")

    def refuse(path: Path) -> None:
        assert path.read_bytes() == CONTENT
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        vault.put(io.BytesIO(CONTENT), refuse)
    assert files_in(tmp_path) == []


def test_bytes_are_durable_before_they_have_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        order.append("sync file" if os.fstat(descriptor).st_mode & 0o100000 else "sync folder")
        fsync(descriptor)

    def replaced(old: Path, new: Path) -> None:
        order.append("rename")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    FolderVault(tmp_path).put(io.BytesIO(CONTENT), lambda path: None)
    assert order == ["sync file", "sync folder", "sync folder", "rename", "sync folder"]


def test_a_start_sweeps_what_a_crash_left_a_day_ago(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    FolderVault(tmp_path)
    old, young = incoming / "old", incoming / "young"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 90_000,) * 2)
    FolderVault(tmp_path)
    assert (old.exists(), young.exists()) == (False, True)


def test_a_folder_that_cannot_be_used_is_told_at_start(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ConfigurationError, match="REGISTRY_ATTACHMENTS_FOLDER"):
        FolderVault(tmp_path / "taken")


def infected_file(tmp_path: Path, content: bytes = b"EICAR") -> Path:
    path = tmp_path / "file"
    path.write_bytes(content)
    return path


SCRIPT = "import sys; sys.exit(1 if b'EICAR' in open(sys.argv[1], 'rb').read() else int(sys.argv[2]))"


@pytest.mark.parametrize(
    ("content", "code", "verdict"),
    [(b"EICAR", 0, Verdict.INFECTED), (b"fine", 0, Verdict.CLEAN), (b"fine", 2, Verdict.FAILED)],
)
def test_a_commands_exit_code_is_the_verdict(tmp_path: Path, content: bytes, code: int, verdict: Verdict) -> None:
    path = infected_file(tmp_path, content)
    scanner = Scanner(f'{sys.executable} -c "{SCRIPT}" {{file}} {code}', 10)
    assert scanner.scan(path) is verdict


def test_a_scanner_that_is_missing_or_slow_is_no_clean_bill(tmp_path: Path) -> None:
    path = infected_file(tmp_path)
    assert Scanner("/nonexistent/scanner {file}", 10).scan(path) is Verdict.FAILED
    assert Scanner(f"{sys.executable} -c 'import time; time.sleep(10)' {{file}}", 0.1).scan(path) is Verdict.FAILED
    assert Scanner(f"unix:{tmp_path}/none.sock", 1).scan(path) is Verdict.FAILED
    assert Scanner("", 1).scan(path) is Verdict.CLEAN


@pytest.mark.parametrize("hook", ["clamscan", "tcp:host", 'unclosed "', "tcp:host:port"])
def test_a_hook_that_cannot_be_read_is_told_at_start(hook: str) -> None:
    with pytest.raises(ConfigurationError, match="REGISTRY_VIRUS_SCAN"):
        Scanner(hook, 1)


@contextmanager
def clamd(path: Path) -> Iterator[list[bytes]]:
    """A server that speaks clamd's INSTREAM on a Unix socket; gives what it was sent."""
    received: list[bytes] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as stream:
            assert stream.read(10) == b"zINSTREAM\0"
            content = b""
            while size := int.from_bytes(stream.read(4), "big"):
                content += stream.read(size)
            received.append(content)
            connection.sendall(b"stream: Eicar-Test FOUND\0" if b"EICAR" in content else b"stream: OK\0")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield received
    finally:
        thread.join(5)
        listener.close()


@pytest.mark.parametrize(("content", "verdict"), [(b"EICAR", Verdict.INFECTED), (CONTENT, Verdict.CLEAN)])
def test_clamd_is_sent_the_whole_file(tmp_path: Path, content: bytes, verdict: Verdict) -> None:
    with clamd(tmp_path / "clamd.sock") as received:
        assert Scanner(f"unix:{tmp_path}/clamd.sock", 5).scan(infected_file(tmp_path, content)) is verdict
    assert received == [content]
