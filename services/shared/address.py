"""The address a request came from: the socket's, or X-Forwarded-For behind proxies we were told to trust."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from services.shared.errors import ConfigurationError

Headers = Iterable[tuple[bytes, bytes]]


class Addresses:
    """Finds the client's address; `proxies` are networks separated by commas."""

    def __init__(self, proxies: str) -> None:
        try:
            self._proxies: list[IPv4Network | IPv6Network] = [
                ip_network(part.strip(), strict=False) for part in proxies.split(",") if part.strip()
            ]
        except ValueError as error:
            raise ConfigurationError(f"TRUSTED_PROXIES: {error}") from None
        self._trusted = lru_cache(maxsize=65536)(self._is_trusted)

    def _is_trusted(self, text: str) -> bool:
        address = _parse(text)
        return address is not None and any(address in network for network in self._proxies)

    def client(self, peer: str, headers: Headers) -> str:
        """Text of the client's address: the right-most one that no trusted proxy added itself."""
        if not self._trusted(peer):
            return peer
        chain = b",".join([value for name, value in headers if name == b"x-forwarded-for"]).decode("latin-1")
        for hop in reversed(chain.split(",")):
            hop = hop.strip()
            if hop and not self._trusted(hop):
                return hop if _parse(hop) is not None else peer
            peer = hop or peer
        return peer


@lru_cache(maxsize=65536)
def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """The address, IPv4 where it is only mapped into IPv6; None for anything else. Parsed once for every use."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=65536)
def bucket(text: str) -> str:
    """What one allowance belongs to: an IPv4 address, or the /64 of an IPv6 one."""
    address = _parse(text)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return "unknown" if address is None else str(address)
