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
# Tokens of a station carry its number behind the fixed part; all others keep the form that older workers read.
_STATION = struct.Struct(">i")
_VERSION, _VERSION_STATION = 1, 2
_MAC_BYTES = 16
ROUTES = ("sms", "voice", "station", "wechat", "oidc")


class VoterToken(msgspec.Struct, frozen=True):
    """What a token says; `expires` in seconds since the epoch, `stratum` as declared or found at sign-in."""

    round_number: int
    voter_key: bytes
    reissue: int
    route: str
    stratum: str
    expires: int
    station: int | None = None


class VoterTokens:
    """Makes and checks tokens under one key derived from the master secret."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, token: VoterToken) -> str:
        version, station = _VERSION, b""
        if token.station is not None:
            version, station = _VERSION_STATION, _STATION.pack(token.station)
        route = ROUTES.index(token.route)
        payload = b"".join((
            _FORM.pack(version, token.round_number, token.expires, token.reissue, route, token.voter_key),
            station,
            token.stratum.encode(),
        ))  # fmt: skip
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
        if expires <= now_s:
            return None
        rest, station = payload[_FORM.size :], None
        if version == _VERSION_STATION:
            (station,) = _STATION.unpack_from(rest)
            rest = rest[_STATION.size :]
        elif version != _VERSION:
            return None
        return VoterToken(number, voter_key, reissue, ROUTES[route], rest.decode(), expires, station)
