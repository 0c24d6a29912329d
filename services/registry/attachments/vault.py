"""Where the bytes of files lie: a small interface, and the folder that is behind it by default.

Invariant: a name in the vault is the SHA-256 of whole, durable bytes; a crash leaves at most a temporary file, which
the next start sweeps away. Blocking: callers run it in a thread. Nothing in it is ever executed or served as a page.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from services.shared.errors import ConfigurationError

_BLOCK_BYTES = 1 << 18
_ABANDONED_AFTER_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Kept:
    """What a vault says of bytes it took in."""

    sha256: bytes
    bytes: int


class Vault(Protocol):
    """Keeps bytes under their SHA-256. Another kind of storage needs these two functions and nothing more."""

    def put(self, stream: BinaryIO, inspect: Callable[[Path], None]) -> Kept:
        """Take a stream in; `inspect` sees the temporary file first, and what it raises leaves nothing behind."""
        ...

    def open(self, sha256: bytes) -> BinaryIO:
        """The bytes; raises FileNotFoundError."""
        ...


class FolderVault:
    """A folder: `aa/bb/<sha256>`, each file written to a temporary one, synced, then renamed."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._incoming = folder, folder / "incoming"
        try:
            self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sweep()
        except OSError as error:
            reason = error.strerror or "it cannot be written"
            raise ConfigurationError(
                f"REGISTRY_ATTACHMENTS_FOLDER: {folder} cannot be used ({reason}); name a folder the service owns"
            ) from None

    def put(self, stream: BinaryIO, inspect: Callable[[Path], None]) -> Kept:
        descriptor, name = tempfile.mkstemp(dir=self._incoming)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                kept = _copy(stream, file)
                file.flush()
                os.fsync(file.fileno())
            inspect(temporary)
            self._keep(temporary, self._path(kept.sha256))
        finally:
            temporary.unlink(missing_ok=True)
        return kept

    def open(self, sha256: bytes) -> BinaryIO:
        return self._path(sha256).open("rb")

    def _path(self, sha256: bytes) -> Path:
        name = sha256.hex()
        return self._folder / name[:2] / name[2:4] / name

    def _keep(self, temporary: Path, path: Path) -> None:
        """Rename into place and make the names durable; the same bytes again are left as they are."""
        for folder in (path.parent.parent, path.parent):
            if not folder.is_dir():
                folder.mkdir(mode=0o700, exist_ok=True)
                _sync_folder(folder.parent)
        if not path.exists():
            temporary.chmod(0o400)
            os.replace(temporary, path)
            _sync_folder(path.parent)

    def _sweep(self) -> None:
        """Forget what a crash left half-received a day ago; younger ones may belong to another worker."""
        for path in self._incoming.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _ABANDONED_AFTER_S:
                    path.unlink()


def _copy(source: BinaryIO, target: BinaryIO) -> Kept:
    digest, count = hashlib.sha256(), 0
    while block := source.read(_BLOCK_BYTES):
        digest.update(block)
        target.write(block)
        count += len(block)
    return Kept(digest.digest(), count)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
