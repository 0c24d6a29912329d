"""The address a request came from: the socket's, or X-Forwarded-For behind proxies we were told to trust."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

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
        self._trusted = lru_cache(maxsize=4096)(self._is_trusted)

    def _is_trusted(self, text: str) -> bool:
        try:
            address = ip_address(text)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            return any(address.ipv4_mapped in network for network in self._proxies)
        return any(address in network for network in self._proxies)

    def client(self, peer: str, headers: Headers) -> str:
        """Text of the client's address: the right-most one that no trusted proxy added itself."""
        if not self._trusted(peer):
            return peer
        chain = b",".join(value for name, value in headers if name == b"x-forwarded-for").decode("latin-1")
        for hop in reversed([part.strip() for part in chain.split(",") if part.strip()]):
            if not self._trusted(hop):
                return hop if _is_address(hop) else peer
            peer = hop
        return peer


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=65536)
def bucket(text: str) -> str:
    """What one allowance belongs to: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        address = ip_address(text)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address, 64), strict=False))
    return str(address)
