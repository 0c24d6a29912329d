"""Time-based one-time codes (RFC 6238, SHA-1, 6 digits, 30 s) and recovery codes: pure, with the clock handed in.

Called by `second_factor.py`. The library draws secrets and computes codes; which time step a code belongs to is ours,
because a step is used once only.
"""

import hmac
import secrets
from datetime import datetime
from hashlib import sha256

import pyotp

STEP_S = 30
DRIFT_STEPS = 1
RECOVERY_CODES = 10
_ISSUER = "评选 Pingxuan"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RECOVERY_LENGTH = 10


def new_secret() -> str:
    """160 random bits in base 32."""
    return pyotp.random_base32()


def uri(secret: str, username: str) -> str:
    """The `otpauth://` address that authenticator programs read from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=_ISSUER)


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step whose code this is, at most one step away from `now`; None where it is none of them."""
    current = int(now.timestamp()) // STEP_S
    generator = pyotp.HOTP(secret)
    found = None
    for step in range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1):
        if hmac.compare_digest(generator.at(step).encode(), code.encode()):
            found = step
    return found


def is_code(text: str) -> bool:
    """Six digits; anything else that is given can only be a recovery code."""
    return len(text) == 6 and text.isascii() and text.isdigit()


def new_recovery_codes() -> list[str]:
    """Ten codes of 50 random bits, in two groups for reading from paper."""
    drawn = ("".join(secrets.choice(_CROCKFORD) for _ in range(_RECOVERY_LENGTH)) for _ in range(RECOVERY_CODES))
    return [f"{each[:5]}-{each[5:]}" for each in drawn]


def recovery_hash(key: bytes, staff: str, code: str) -> bytes:
    """What is stored of a recovery code, typed in small letters or large, with O for 0, I or L for 1, dash or none."""
    plain = code.upper().translate(str.maketrans("OIL", "011", "- "))
    return hmac.digest(key, f"{staff}\0{plain[:100]}".encode(), sha256)
