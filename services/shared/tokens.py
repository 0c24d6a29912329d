"""Staff tokens: signed by the registry (Ed25519), checked by every service with the public key.

A token lives five minutes at most and is renewed silently by the registry's session cookie. A valid signature is not
enough: the account must still stand in the service's own copy of `registry.staff` (see `staff.py`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from services.shared.errors import ConfigurationError

LIFETIME = timedelta(minutes=5)
_ALGORITHM = "EdDSA"
_ISSUER = "pingxuan-registry"


class StaffClaims(msgspec.Struct, frozen=True):
    """Who signed in, with which roles, when."""

    staff: str
    username: str
    roles: frozenset[str]
    issued_at: datetime
    expires_at: datetime


class StaffSigner:
    """The registry's half: makes tokens."""

    def __init__(self, private_pem: bytes) -> None:
        try:
            key: object = load_pem_private_key(private_pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigurationError("the staff signing key must be an Ed25519 private key in PEM, without a password")
        self._key = key

    def sign(self, staff: str, username: str, roles: list[str], now: datetime) -> tuple[str, datetime]:
        """(token, when it expires)."""
        expires_at = now + LIFETIME
        claims = {
            "iss": _ISSUER,
            "sub": staff,
            "username": username,
            "roles": sorted(roles),
            "iat": now.timestamp(),
            "exp": expires_at.timestamp(),
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM), expires_at


class StaffVerifier:
    """Every service's half: checks tokens without I/O."""

    def __init__(self, public_pem: bytes) -> None:
        try:
            key: object = load_pem_public_key(public_pem)
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise ConfigurationError("the staff public key must be an Ed25519 public key in PEM")
        self._key = key

    def verify(self, token: str) -> StaffClaims | None:
        """The claims of a genuine token that has not expired, else None."""
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                options={"require": ["exp", "iat", "sub"], "verify_iat": False},
            )
            return StaffClaims(
                staff=str(claims["sub"]),
                username=str(claims["username"]),
                roles=frozenset(map(str, claims["roles"])),
                issued_at=datetime.fromtimestamp(float(claims["iat"]), UTC),
                expires_at=datetime.fromtimestamp(float(claims["exp"]), UTC),
            )
        except (jwt.PyJWTError, KeyError, TypeError, ValueError):
            return None
