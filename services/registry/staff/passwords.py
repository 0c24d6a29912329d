"""Passwords: argon2id in threads, at most so many at once, and the same work whether an account exists or not.

Invariant: a password is never logged, kept or compared in plain text. Called by `sessions.py` and `accounts.py`.
"""

import asyncio
import secrets
import string
import time
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.registry import metrics
from services.shared.errors import CommonReason, Refusal

LENGTH_MIN = 8
LENGTH_MAX = 200
_GENERATED_LENGTH = 20
# Without letters and digits that are read wrongly from paper: 0 O, 1 l I.
_ALPHABET = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1lI")))


def generate() -> str:
    """A new password of 20 characters (about 116 bits), in groups of five for reading aloud."""
    characters = "".join(secrets.choice(_ALPHABET) for _ in range(_GENERATED_LENGTH))
    return "-".join(characters[start : start + 5] for start in range(0, _GENERATED_LENGTH, 5))


def weakness(password: str, username: str) -> str:
    """What is wrong with a chosen password, as one sentence; empty when it may be used."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        return f"password must have {LENGTH_MIN} to {LENGTH_MAX} characters; leave it out and one is made"
    if password.casefold() == username.casefold():
        return "password must differ from the username; leave it out and one is made"
    return ""


@cache
def _nobodys_hash() -> str:
    """Checked when there is no account, so that an unknown name takes as long as a wrong password."""
    return PasswordHasher().hash(secrets.token_hex(16))


class Passwords:
    """Hashes and checks; `parallel` at once, `waiting_max` in line, everybody else is told to come back."""

    def __init__(self, parallel: int, waiting_max: int) -> None:
        self._hasher = PasswordHasher()
        self._turns = asyncio.Semaphore(parallel)
        self._waiting, self._waiting_max = 0, waiting_max
        self._nobody = _nobodys_hash()

    async def hash(self, password: str) -> str:
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether the password belongs to the hash; None does the same work and is False. Raises Refusal 503."""
        if self._waiting >= self._waiting_max:
            raise Refusal(CommonReason.UNAVAILABLE, "Many people sign in at the moment.", retry_after_s=3)
        self._waiting += 1
        started = time.perf_counter()
        try:
            async with self._turns:
                right = await asyncio.to_thread(self._verify, password_hash or self._nobody, password)
        finally:
            self._waiting -= 1
            metrics.password_hash_seconds.observe(time.perf_counter() - started)
        return right and password_hash is not None

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
