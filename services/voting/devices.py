"""The device cookie: a signed first-party random number, no fingerprint. It only makes limits gentler and fairer."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Iterable

COOKIE = "px_device"
_ID_BYTES, _MAC_BYTES = 8, 8


class Devices:
    """Makes and reads device cookies under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self) -> str:
        identity = os.urandom(_ID_BYTES)
        return base64.urlsafe_b64encode(identity + self._mac(identity)).decode().rstrip("=")

    def read(self, value: str) -> bytes | None:
        """The device's number behind a genuine cookie value, else None."""
        try:
            raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        except (binascii.Error, ValueError):
            return None
        identity, mac = raw[:_ID_BYTES], raw[_ID_BYTES:]
        return identity if hmac.compare_digest(self._mac(identity), mac) else None

    def identify(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
        """The device behind raw request headers."""
        for name, value in headers:
            if name == b"cookie":
                for part in value.split(b";"):
                    key, _, content = part.strip().partition(b"=")
                    if key == COOKIE.encode():
                        return self.read(content.decode("latin-1"))
        return None

    def _mac(self, identity: bytes) -> bytes:
        return hmac.digest(self._key, identity, "sha256")[:_MAC_BYTES]
