"""Keys derived from one secret, and authenticated encryption with them.

HKDF (RFC 5869) gives a separate key per purpose, so that one key's leak opens one door only.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.shared.errors import PingxuanError

_NONCE_BYTES = 12


class SealBroken(PingxuanError):
    """Something encrypted does not belong to this key, or was changed."""


def derive(secret: bytes, purpose: str, length: int = 32) -> bytes:
    """Key of `length` bytes for one purpose; the same secret and purpose give the same key."""
    return HKDF(algorithm=SHA256(), length=length, salt=b"pingxuan/v1", info=purpose.encode()).derive(secret)


def seal(key: bytes, plain: bytes, context: bytes) -> bytes:
    """Nonce and ciphertext of AES-256-GCM; `context` must be given again to open it."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, context)


def unseal(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """What `seal` was given; raises SealBroken."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except (InvalidTag, ValueError) as error:
        raise SealBroken("sealed content was changed or belongs to another key") from error
