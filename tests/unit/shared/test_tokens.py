"""Staff tokens: genuine, of five minutes, from the registry's key only."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from services.shared.errors import ConfigurationError
from services.shared.tokens import LIFETIME, StaffSigner, StaffVerifier

KEY = Ed25519PrivateKey.generate()
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
SIGNER, VERIFIER = StaffSigner(PRIVATE), StaffVerifier(PUBLIC)


def forged(**changes: object) -> str:
    """A token with the right signature and other claims; None takes a claim away."""
    now = datetime.now(UTC).timestamp()
    claims: dict[str, object] = {
        "iss": "pingxuan-registry", "sub": "s1", "username": "wang", "roles": [], "iat": now, "exp": now + 60,
    }  # fmt: skip
    claims |= changes
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, KEY, algorithm="EdDSA")


def test_a_token_says_who_and_lasts_five_minutes() -> None:
    now = datetime.now(UTC)
    token, expires_at = SIGNER.sign("s1", "wang", ["expert", "auditor"], now)
    claims = VERIFIER.verify(token)
    assert claims is not None
    assert (claims.staff, claims.username, claims.roles) == ("s1", "wang", frozenset({"expert", "auditor"}))
    assert expires_at - now == LIFETIME == timedelta(minutes=5)
    assert abs(claims.issued_at - now) < timedelta(milliseconds=1)


def test_an_expired_token_is_none() -> None:
    token, _ = SIGNER.sign("s1", "wang", [], datetime.now(UTC) - LIFETIME - timedelta(seconds=1))
    assert VERIFIER.verify(token) is None


def test_another_key_is_none() -> None:
    other = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    token, _ = StaffSigner(other).sign("s1", "wang", [], datetime.now(UTC))
    assert VERIFIER.verify(token) is None


@pytest.mark.parametrize(
    "changes",
    [{"iss": "somebody"}, {"exp": None}, {"iat": None}, {"sub": None}, {"username": None}, {"roles": None},
     {"roles": 5}, {"iss": None}, {"exp": "soon"}],
)  # fmt: skip
def test_a_token_with_other_claims_is_none(changes: dict[str, object]) -> None:
    assert VERIFIER.verify(forged()) is not None
    assert VERIFIER.verify(forged(**changes)) is None


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é" * 40, "." * 5])
def test_what_is_no_token_is_none(text: str) -> None:
    assert VERIFIER.verify(text) is None


def test_a_token_that_names_its_own_algorithm_is_none() -> None:
    """`none`, and HMAC with the public key as its secret: the two classic forgeries."""
    head, body, _ = forged().split(".")
    for algorithm in ("none", "HS256"):
        header = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "typ": "JWT"}).encode()).rstrip(b"=").decode()
        assert VERIFIER.verify(f"{header}.{body}.") is None
        assert VERIFIER.verify(f"{header}.{body}.{head}") is None


def test_a_key_of_another_kind_is_refused_at_start() -> None:
    wrong = generate_private_key(SECP256R1())
    with pytest.raises(ConfigurationError, match="Ed25519"):
        StaffSigner(wrong.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ConfigurationError, match="Ed25519"):
        StaffVerifier(wrong.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


@pytest.mark.parametrize("kind", [StaffSigner, StaffVerifier])
def test_what_is_no_key_is_refused_in_one_sentence(kind: type[StaffSigner] | type[StaffVerifier]) -> None:
    with pytest.raises(ConfigurationError, match="PEM"):
        kind(b"not a key at all, but long enough")
