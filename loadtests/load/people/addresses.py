"""Addresses of people: every person connects from a loopback address of its own, a third from few shared ones.

The proxy trusts no forwarded address but the socket's, so that load has real ones: Linux
answers for all of 127.0.0.0/8. Never 127.0.0.1, which is the proxy's own and therefore nobody's. Called by `base.py`.
"""

from __future__ import annotations

import random
import socket
import struct
import time
from http.cookiejar import CookieJar
from typing import ClassVar

import gevent.socket
from geventhttpclient.client import HTTPClient, HTTPClientPool
from geventhttpclient.connectionpool import ConnectionPool
from geventhttpclient.url import URL
from locust.contrib.fasthttp import LocustUserAgent

CARRIERS, AT_ONCE_MAX, ANSWER_WITHIN_S = 8, 10, 30.0
# A reset instead of a polite end: what a phone leaves behind that lost its line.
_RESET = struct.pack("ii", 1, 0)
_HANG_UP_WITHIN_S = 5.0


def citizen_address(chance: random.Random) -> str:
    """A third behind one of a few carriers' addresses, the others at home."""
    if chance.random() < 1 / 3:
        return f"127.64.0.{chance.randint(1, CARRIERS)}"
    return f"127.{chance.randint(100, 250)}.{chance.randint(0, 255)}.{chance.randint(1, 254)}"


def bot_address(chance: random.Random) -> str:
    """One of two hundred rented ones."""
    return f"127.66.6.{chance.randint(1, 200)}"


class _Line(ConnectionPool):
    """Connections to one host that leave from one address."""

    def __init__(self, address: str, host: str, port: int) -> None:
        super().__init__(
            host, port, host, port, size=AT_ONCE_MAX, connection_timeout=ANSWER_WITHIN_S,
            network_timeout=ANSWER_WITHIN_S,
        )  # fmt: skip
        self._address = address

    def _create_tcp_socket(self, family: int, socktype: int, protocol: int) -> gevent.socket.socket:
        opened = super()._create_tcp_socket(family, socktype, protocol)
        try:
            opened.bind((self._address, 0))
        except OSError:
            opened.close()
            raise
        return opened


class _Lines(HTTPClientPool):
    """What one browser keeps open."""

    def __init__(self, address: str) -> None:
        super().__init__(headers={"User-Agent": "pingxuan-load"})
        self._address = address

    def get_client(self, url: str | URL) -> HTTPClient:
        client = super().get_client(url)
        if not isinstance(client._connection_pool, _Line):
            client._connection_pool = _Line(self._address, client.host, client.port or 80)
        return client


class Browser(LocustUserAgent):
    """A browser at one address, with cookies of its own; it follows no redirect and repeats nothing by itself."""

    redirect_response_codes: ClassVar[frozenset[int]] = frozenset()

    def __init__(self, address: str) -> None:
        super().__init__(client_pool=_Lines(address), cookiejar=CookieJar(), max_redirects=0, max_retries=0)


def hang_up(host: str, port: int, address: str, request: bytes, share: float, wait_s: float) -> None:
    """Send the first `share` of a request, wait, and drop the line without reading an answer."""
    with socket.create_connection((host, port), timeout=_HANG_UP_WITHIN_S, source_address=(address, 0)) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        line.sendall(request[: max(1, int(len(request) * share))])
        time.sleep(wait_s)
