"""Keyed hashes under a round's own random key, and where that key lives.

The key of a round is random, wrapped by the master secret (AES-GCM), and lives in a file outside the database and its
backups. Destroying that file is the erasure: nothing derivable from the master brings it back.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
from pathlib import Path

from services.shared.errors import ConfigurationError
from services.shared.keys import derive, seal, unseal

VOTER_KEY_BYTES = 16


def keyed(key: bytes, label: str, value: str, length: int = VOTER_KEY_BYTES) -> bytes:
    """HMAC-SHA-256 of a labelled value, cut to `length` bytes."""
    return hmac.digest(key, f"{label}:{value}".encode(), "sha256")[:length]


def address_key(key: bytes, address: str) -> bytes:
    """An address as the ledger and the turnstile know it, 8 bytes, so that it leads back to nobody.

    Keyed BLAKE2b (RFC 7693): it is made for every ballot, and costs a quarter of HMAC-SHA-256 for so few bytes.
    """
    return hashlib.blake2b(address.encode(), key=key, digest_size=8, person=b"address").digest()


class RoundKeys:
    """The identity keys of the rounds: one wrapped file each, made once by whichever worker comes first."""

    def __init__(self, folder: str, master: bytes) -> None:
        self._folder = Path(folder)
        self._wrapping = derive(master, "round-identity-keys")
        self._known: dict[str, bytes] = {}
        if not self._folder.is_dir() or not os.access(self._folder, os.R_OK | os.X_OK):
            raise ConfigurationError(f"VOTING_ROUND_KEYS_DIR: {folder} is not a readable folder")

    def _path(self, round_id: str) -> Path:
        return self._folder / f"{round_id}.key"

    def get(self, round_id: str) -> bytes | None:
        """The round's key, or None when there is none (not made yet, or destroyed)."""
        known = self._known.get(round_id)
        if known is None:
            try:
                wrapped = self._path(round_id).read_bytes()
            except FileNotFoundError:
                return None
            known = self._known[round_id] = unseal(self._wrapping, wrapped, round_id.encode())
        return known

    def create(self, round_id: str) -> bytes:
        """The round's key, made now if there is none; safe against other workers doing the same."""
        if (known := self.get(round_id)) is not None:
            return known
        aside = self._folder / f".{round_id}.{os.getpid()}.{os.urandom(4).hex()}"
        wrapped = seal(self._wrapping, os.urandom(32), round_id.encode())
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(wrapped)
            file.flush()
            os.fsync(file.fileno())
        # link() fails where another worker was first; its key then is the key.
        with contextlib.suppress(FileExistsError):
            os.link(aside, self._path(round_id))
        aside.unlink()
        self._sync_folder()
        key = self.get(round_id)
        assert key is not None
        return key

    def destroy(self, round_id: str) -> bool:
        """Overwrite and remove the round's key for ever; False when there was none."""
        path = self._path(round_id)
        self._known.pop(round_id, None)
        if not path.is_file():
            return False
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        self._sync_folder()
        return True

    def drop_cached(self, round_id: str) -> None:
        self._known.pop(round_id, None)

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
