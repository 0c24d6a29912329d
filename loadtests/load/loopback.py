"""The one check of where load may go: to this machine and nowhere else. Called before anybody sends anything."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


class NotLoopback(ValueError):
    """The load would leave this machine."""


def require_loopback(url: str) -> str:
    """The URL; raises NotLoopback unless it is http to a loopback address given as a number, or `localhost`."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        local = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        local = False
    if parts.scheme != "http" or not local:
        raise NotLoopback(f"load goes to this machine only; {host or url!r} is not a loopback address over http")
    return url
