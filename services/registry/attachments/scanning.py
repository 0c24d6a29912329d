"""The virus-scan hook: a local command, or clamd by its own protocol, asked about a file while it is still temporary.

A scanner that does not answer is not a clean bill: the upload is refused as unavailable. Blocking: runs in a thread.
"""

import shlex
import socket
import struct
import subprocess
from enum import Enum
from pathlib import Path

from services.shared.errors import ConfigurationError

_BLOCK_BYTES = 1 << 16
_ANSWER_BYTES_MAX = 4096
FILE_PLACE = "{file}"


class Verdict(Enum):
    """What the scanner says."""

    CLEAN = "clean"
    INFECTED = "infected"
    FAILED = "failed"


class Scanner:
    """`hook` is empty (no scanning), `unix:/path` or `tcp:host:port` of clamd, or a command line with `{file}` in it,
    which ends with 0 for a clean file and 1 for an infected one, as `clamdscan --fdpass {file}` does."""

    def __init__(self, hook: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._clamd = hook if hook.startswith(("unix:", "tcp:")) else ""
        try:
            self._command = [] if self._clamd else shlex.split(hook)
            if self._clamd:
                _address(self._clamd)
        except ValueError:
            raise ConfigurationError(
                "REGISTRY_VIRUS_SCAN: cannot be read; write unix:/path, tcp:host:port or a command"
            ) from None
        if self._command and not any(FILE_PLACE in part for part in self._command):
            raise ConfigurationError("REGISTRY_VIRUS_SCAN: the command must hold {file}, the place of the file's path")

    def scan(self, path: Path) -> Verdict:
        """The verdict on one file."""
        if self._clamd:
            return self._ask_clamd(path)
        return self._run(path) if self._command else Verdict.CLEAN

    def _run(self, path: Path) -> Verdict:
        command = [part.replace(FILE_PLACE, str(path)) for part in self._command]
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own command, never through a shell
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=self._timeout_s, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return Verdict.FAILED
        return {0: Verdict.CLEAN, 1: Verdict.INFECTED}.get(done.returncode, Verdict.FAILED)

    def _ask_clamd(self, path: Path) -> Verdict:
        """clamd's INSTREAM (clamd(8)): length-prefixed blocks, a zero length, one line of answer."""
        family, address = _address(self._clamd)
        try:
            with socket.socket(family, socket.SOCK_STREAM) as connection, path.open("rb") as file:
                connection.settimeout(self._timeout_s)
                connection.connect(address)
                connection.sendall(b"zINSTREAM\0")
                while block := file.read(_BLOCK_BYTES):
                    connection.sendall(struct.pack(">I", len(block)) + block)
                connection.sendall(struct.pack(">I", 0))
                answer = _answer(connection)
        except OSError:
            return Verdict.FAILED
        if answer.endswith(b"FOUND"):
            return Verdict.INFECTED
        return Verdict.CLEAN if answer.endswith(b"OK") else Verdict.FAILED


def _answer(connection: socket.socket) -> bytes:
    answer = b""
    while not answer.endswith(b"\0") and len(answer) < _ANSWER_BYTES_MAX:
        part = connection.recv(_ANSWER_BYTES_MAX)
        if not part:
            break
        answer += part
    return answer.rstrip(b"\0\n")


def _address(place: str) -> tuple[socket.AddressFamily, str | tuple[str, int]]:
    """Raises ValueError where the place names no port."""
    kind, _, rest = place.partition(":")
    if kind == "unix":
        return socket.AF_UNIX, rest
    host, _, port = rest.rpartition(":")
    host = host.strip("[]")
    return (socket.AF_INET6 if ":" in host else socket.AF_INET), (host, int(port))
