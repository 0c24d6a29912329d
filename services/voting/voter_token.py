"""The voter's token: made after a code was proven, checked without I/O.

A fixed binary payload and a MAC of 16 bytes (keyed BLAKE2b, RFC 7693), base64url. It carries the voter's keyed hash,
never a phone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct

import msgspec

_FORM = struct.Struct(">BiiHB16s")  # version, round number, expires, reissue, route, voter key
# Tokens of a station carry its number behind the fixed part; all others keep the form that older workers read.
_STATION = struct.Struct(">i")
_VERSION, _VERSION_STATION = 1, 2
_MAC_BYTES = 16
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
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
        return base64.urlsafe_b64encode(payload + self._mac(payload)).rstrip(b"=").decode()

    def verify(self, text: str, now_s: float) -> VoterToken | None:
        """The genuine, unexpired token, else None."""
        if not 40 <= len(text) <= 400:
            return None
        try:
            raw = binascii.a2b_base64(text.encode().translate(_URL_SAFE) + b"=" * (-len(text) % 4))
        except ValueError:
            return None
        payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if not hmac.compare_digest(self._mac(payload), mac):
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

    def _mac(self, payload: bytes) -> bytes:
        return hashlib.blake2b(payload, key=self._key, digest_size=_MAC_BYTES).digest()
