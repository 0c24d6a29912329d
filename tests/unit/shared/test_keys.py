"""Keys: one purpose, one key; what is sealed opens under the same key and context only."""

from __future__ import annotations

import pytest

from services.shared.keys import SealBroken, derive, seal, unseal

SECRET = b"0123456789abcdef"


def test_a_purpose_has_its_own_key_for_ever() -> None:
    assert derive(SECRET, "tallies") == derive(SECRET, "tallies")
    assert derive(SECRET, "tallies") != derive(SECRET, "tokens")
    assert derive(SECRET, "tallies") != derive(SECRET + b"x", "tallies")
    assert len(derive(SECRET, "short", 16)) == 16


def test_the_key_of_a_purpose_never_changes_with_the_software() -> None:
    """Stored ciphertexts and receipts outlive releases: HKDF-SHA-256, salt `pingxuan/v1`, computed by hand."""
    import hashlib
    import hmac

    extracted = hmac.digest(b"pingxuan/v1", SECRET, hashlib.sha256)
    assert derive(SECRET, "tallies") == hmac.digest(extracted, b"tallies\x01", hashlib.sha256)


def test_what_is_sealed_opens_again_and_looks_different_each_time() -> None:
    key = derive(SECRET, "tallies")
    sealed = seal(key, "票数".encode(), b"round-1")
    assert unseal(key, sealed, b"round-1") == "票数".encode()
    assert sealed != seal(key, "票数".encode(), b"round-1")
    assert "票数".encode() not in sealed


@pytest.mark.parametrize("change", ["key", "context", "bit", "cut", "empty"])
def test_anything_else_is_a_broken_seal(change: str) -> None:
    key = derive(SECRET, "tallies")
    sealed, context = seal(key, b"counts", b"round-1"), b"round-1"
    if change == "key":
        key = derive(SECRET, "tokens")
    elif change == "context":
        context = b"round-2"
    elif change == "bit":
        sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    else:
        sealed = sealed[:-1] if change == "cut" else b""
    with pytest.raises(SealBroken):
        unseal(key, sealed, context)
