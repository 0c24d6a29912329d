"""Whose request it is: the socket's address, or the right-most hop that no trusted proxy added itself."""

from __future__ import annotations

import pytest

from services.shared.address import Addresses, bucket
from services.shared.errors import ConfigurationError


def client(peer: str, *forwarded: str, proxies: str = "127.0.0.1, 10.0.0.0/8, ::1") -> str:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return Addresses(proxies).client(peer, headers)


def test_without_a_trusted_proxy_the_header_is_ignored() -> None:
    assert client("203.0.113.5", "198.51.100.1") == "203.0.113.5"
    assert client("127.0.0.1", "198.51.100.1", proxies="") == "127.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "found"),
    [
        (["198.51.100.1"], "198.51.100.1"),
        (["1.1.1.1, 198.51.100.1"], "198.51.100.1"),  # what the client claimed stands left of what the proxy saw
        (["1.1.1.1", "198.51.100.1"], "198.51.100.1"),  # the same in two headers
        (["198.51.100.1, 10.1.2.3"], "198.51.100.1"),  # an inner proxy of ours
        (["1.1.1.1, 10.9.9.9, 198.51.100.1, 10.1.2.3"], "198.51.100.1"),
        (["10.1.2.3"], "10.1.2.3"),  # a client inside the trusted network
        ([], "127.0.0.1"),
        (["  , ,"], "127.0.0.1"),
        (["2001:db8::7"], "2001:db8::7"),
    ],
)
def test_chains(forwarded: list[str], found: str) -> None:
    assert client("127.0.0.1", *forwarded) == found


@pytest.mark.parametrize("claim", ["unknown", "<script>", "198.51.100.1:443", "\xff\xfe", "0x7f000001", "1.2.3"])
def test_what_is_no_address_is_not_believed(claim: str) -> None:
    """The nearest hop that is one stands in, so that nonsense cannot make an endless supply of addresses."""
    assert client("127.0.0.1", claim) == "127.0.0.1"
    assert client("127.0.0.1", f"{claim}, 10.1.2.3") == "10.1.2.3"


def test_a_mapped_ipv4_peer_is_the_trusted_proxy_too() -> None:
    assert client("::ffff:127.0.0.1", "198.51.100.1") == "198.51.100.1"


def test_proxies_that_are_no_networks_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^TRUSTED_PROXIES: "):
        Addresses("localhost")


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("", "unknown"),
        ("testclient", "unknown"),
    ],
)
def test_one_allowance_is_an_ipv4_address_or_a_whole_64(address: str, owner: str) -> None:
    """A household has a /64: its 2^64 addresses must not be as many allowances."""
    assert bucket(address) == owner
