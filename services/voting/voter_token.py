"""The voter's token: made after a code was proven, checked without I/O.

A fixed binary payload and 16 bytes of HMAC-SHA-256, base64url. It carries the voter's keyed hash, never a phone.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct

import msgspec

_FORM = struct.Struct(">BiiHB16s")  # version, round number, expires, reissue, route, voter key
_VERSION = 1
_MAC_BYTES = 16
ROUTES = ("sms", "voice", "station")


class VoterToken(msgspec.Struct, frozen=True):
    """What a token says; `expires` in seconds since the epoch, `stratum` as declared or found at sign-in."""

    round_number: int
    voter_key: bytes
    reissue: int
    route: str
    stratum: str
    expires: int


class VoterTokens:
    """Makes and checks tokens under one key derived from the master secret."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, token: VoterToken) -> str:
        payload = (
            _FORM.pack(
                _VERSION, token.round_number, token.expires, token.reissue, ROUTES.index(token.route), token.voter_key
            )
            + token.stratum.encode()
        )
        mac = hmac.digest(self._key, payload, "sha256")[:_MAC_BYTES]
        return base64.urlsafe_b64encode(payload + mac).rstrip(b"=").decode()

    def verify(self, text: str, now_s: float) -> VoterToken | None:
        """The genuine, unexpired token, else None."""
        if not 40 <= len(text) <= 400:
            return None
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            return None
        payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if not hmac.compare_digest(hmac.digest(self._key, payload, "sha256")[:_MAC_BYTES], mac):
            return None
        version, number, expires, reissue, route, voter_key = _FORM.unpack_from(payload)
        if version != _VERSION or expires <= now_s:
            return None
        return VoterToken(number, voter_key, reissue, ROUTES[route], payload[_FORM.size :].decode(), expires)
