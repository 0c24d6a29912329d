"""The home folder of an embedded platform: its layout, its lock, and files that are written whole or not at all.

Invariant: everything in it is readable by its owner only. Used by every other module of this package.
"""

import fcntl
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

# A socket's path has 108 bytes with its final zero; PostgreSQL calls its socket so.
SOCKET_PATH_BYTES_MAX = 107
SOCKET_NAME = ".s.PGSQL.5432"
LOG_BYTES_MAX = 16 * 1024 * 1024
PROJECT_FOLDER = Path(__file__).resolve().parents[3]


class PlatformError(Exception):
    """The platform cannot run as asked; the message is one sentence that says what to do."""


class HomeInUse(PlatformError):
    """Another `pingxuan up` runs on this home."""


class PortTaken(PlatformError):
    """A port that was asked for is in use."""


class StartFailed(PlatformError):
    """A server or service did not get ready."""


@dataclass(frozen=True)
class Home:
    """Paths under one home; `create` makes the folders, 0700 each."""

    folder: Path

    @classmethod
    def at(cls, folder: str | os.PathLike[str] | None = None) -> Self:
        """The home given, else `PINGXUAN_HOME`, else `./.pingxuan`; always absolute."""
        return cls(Path(folder or os.environ.get("PINGXUAN_HOME") or ".pingxuan").expanduser().absolute())

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def postgres_data(self) -> Path:
        return self.postgres / "data"

    @property
    def valkey(self) -> Path:
        return self.folder / "valkey"

    @property
    def caddy(self) -> Path:
        return self.folder / "caddy"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def environment_file(self) -> Path:
        return self.folder / "platform.env"

    @property
    def platform_file(self) -> Path:
        """Process ids and ports of the running platform, for tests and operators."""
        return self.run / "platform.json"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def create(self) -> None:
        """Make the folders; raises PlatformError where that is impossible."""
        inner = (self.postgres, self.valkey, self.caddy, self.keys, self.keys / "rounds", self.logs, self.run)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in inner:
                folder.mkdir(mode=0o700, exist_ok=True)
            for folder in (self.folder, self.keys, self.keys / "rounds", self.logs, self.run):
                folder.chmod(0o700)
        except OSError as error:
            reason = error.strerror or "it cannot be written"
            raise PlatformError(
                f"cannot use {self.folder} as home ({reason}): set PINGXUAN_HOME to a folder you own"
            ) from error

    def socket_folder(self) -> Path:
        """A private folder for PostgreSQL's socket, the same at every start of this home.

        Lies in the home unless its path is too long for a socket, or holds a comma (which separates hosts).
        """
        inside = self.postgres / "socket"
        if _fits_a_socket(inside):
            return inside
        note = self.run / "socket_folder"
        with suppress(OSError):
            known = Path(note.read_text("utf-8"))
            if _is_private(known):
                return known
        outside = Path(tempfile.mkdtemp(prefix="pingxuan-", dir=_short_temporary_folder()))
        write_private(note, str(outside))
        return outside


def _fits_a_socket(folder: Path) -> bool:
    path = str(folder / SOCKET_NAME)
    return len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX and "," not in path


def _short_temporary_folder() -> str:
    for folder in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes a private one inside
        if _fits_a_socket(Path(folder) / "pingxuan-12345678"):
            return folder
    raise PlatformError("the temporary folder's path is too long for a socket: set TMPDIR to a shorter one")


def _is_private(folder: Path) -> bool:
    status = folder.lstat()
    owned = status.st_uid == os.geteuid() or os.geteuid() == 0
    return folder.is_dir() and not folder.is_symlink() and owned and not status.st_mode & 0o077


def write_private(path: Path, text: str) -> None:
    """Replace the file's content atomically and durably; the file is 0600 from its first byte."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_private(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def environment_text(environment: Mapping[str, str]) -> str:
    """Lines `NAME=value`, quoted where a shell or dotenv would otherwise read something else."""
    lines = ["# Written by `pingxuan`, which writes it anew: secrets included."]
    lines += [f"{name}={_quoted(value)}" for name, value in sorted(environment.items())]
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    plain = all(character.isascii() and (character.isalnum() or character in "-_./:@%+,?=&[]") for character in value)
    if plain and value:
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


class HomeLock:
    """An advisory lock on the home that the kernel drops with its process, however that ends."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; raises HomeInUse where another process holds it."""
        descriptor = os.open(self._home.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise HomeInUse(
                f"another pingxuan runs on {self._home.folder} (process {holder}): "
                "stop it first, or set PINGXUAN_HOME to another folder"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def open_log(path: Path) -> int:
    """A descriptor that appends to the log; one that has grown large is set aside first, one generation kept."""
    with suppress(FileNotFoundError):
        if path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def last_log_line(path: Path) -> str:
    """What the last line says that says something, shortened; empty where there is none."""
    with suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 8192))
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
        return _event(lines[-1])[:400] if lines else ""
    return ""


def _event(line: str) -> str:
    """The sentence inside a line of JSON, or the line itself where it is none."""
    try:
        entry = json.loads(line)
        return next(str(entry[name]) for name in ("event", "msg", "error") if entry.get(name))
    except (ValueError, AttributeError, StopIteration):
        return line


def reachable(host: str) -> str:
    """Where to reach a server that listens on `host`: one on all interfaces is on loopback too."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(preferred: int | None, taken: set[int], host: str = "127.0.0.1") -> int:
    """The preferred port, or any free one where it is in use; never one of `taken`, to which it is added."""
    if preferred and preferred not in taken and port_is_free(preferred, host):
        taken.add(preferred)
        return preferred
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            taken.add(port)
            return port


def asked_port(port: int, name: str, option: str, taken: set[int], host: str = "127.0.0.1") -> int:
    """A port that somebody asked for by name; raises PortTaken rather than choosing another."""
    if port in taken or not port_is_free(port, host):
        raise PortTaken(f"port {port} for {name} is in use: stop what listens there or give another {option}")
    taken.add(port)
    return port
