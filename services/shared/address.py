"""The address a request came from: the socket's, or X-Forwarded-For behind proxies we were told to trust."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from services.shared.errors import ConfigurationError

Headers = Iterable[tuple[bytes, bytes]]

_MAPPED = bytes(10) + b"\xff\xff"
_HALF = bytes(8)


class Addresses:
    """Finds the client's address; `proxies` are networks separated by commas."""

    def __init__(self, proxies: str) -> None:
        try:
            networks: list[IPv4Network | IPv6Network] = [
                ip_network(part.strip(), strict=False) for part in proxies.split(",") if part.strip()
            ]
        except ValueError as error:
            raise ConfigurationError(f"TRUSTED_PROXIES: {error}") from None
        self._proxies = [(each.max_prefixlen // 8, int(each.netmask), int(each.network_address)) for each in networks]
        self._trusted = lru_cache(maxsize=65536)(self._is_trusted)

    def _is_trusted(self, text: str) -> bool:
        raw = _parse(text)
        if raw is None:
            return False
        number = int.from_bytes(raw, "big")
        return any(len(raw) == width and number & mask == network for width, mask, network in self._proxies)

    def client(self, peer: str, headers: Headers) -> str:
        """Text of the client's address: the right-most one that no trusted proxy added itself."""
        return self.forwarded(peer, b",".join([value for name, value in headers if name == b"x-forwarded-for"]))

    def forwarded(self, peer: str, chain: bytes) -> str:
        """The same from the value of X-Forwarded-For, several joined by commas."""
        if not self._trusted(peer):
            return peer
        for hop in reversed(chain.decode("latin-1").split(",")):
            hop = hop.strip()
            if hop and not self._trusted(hop):
                return hop if _parse(hop) is not None else peer
            peer = hop or peer
        return peer


@lru_cache(maxsize=65536)
def _parse(text: str) -> bytes | None:
    """The address's 4 or 16 bytes, 4 where IPv4 is only mapped into IPv6; None for anything else.

    The C library's parser takes a tenth of what `ipaddress` takes, and a city brings a new address with every vote.
    """
    try:
        if ":" not in text:
            return socket.inet_pton(socket.AF_INET, text)
        raw = socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return None
    return raw[12:] if raw[:12] == _MAPPED else raw


@lru_cache(maxsize=65536)
def bucket(text: str) -> str:
    """What one allowance belongs to: an IPv4 address, or the /64 of an IPv6 one."""
    raw = _parse(text)
    if raw is None:
        return "unknown"
    if len(raw) == 4:
        return socket.inet_ntop(socket.AF_INET, raw)
    return socket.inet_ntop(socket.AF_INET6, raw[:8] + _HALF) + "/64"
