"""Observers' keys: made by a security administrator, shown once, kept as a hash, withdrawn at any time.

A key reads what is published and nothing else: it never makes its holder staff. Reading without one works as well; a
program whose key was withdrawn is told so, rather than served as somebody else. Called by `api.py` and the routes of
rankings.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from litestar import Request

from services.scoring.desk import Desk
from services.scoring.readers import store
from services.scoring.reasons import Reason
from services.scoring.sheets import clean_text
from services.shared.clock import day_in
from services.shared.errors import CommonReason, Refusal
from services.shared.staff import Role, Staff, bearer

PREFIX = "pxr_"
_KEY_BYTES = 32
_NAME_LENGTH_MAX = 100
_NUMBER_MAX = 2**63


async def make(desk: Desk, official: Staff, name: str) -> tuple[store.Key, str]:
    """(the key as it is listed, its secret: told now and never again); `name` says whose it is."""
    named = clean_text(name, _NAME_LENGTH_MAX, "name").strip()
    if not named:
        raise Refusal(Reason.REASON_MISSING, "Say in `name` whose key this is, like the name of a newspaper.")
    secret = f"{PREFIX}{secrets.token_urlsafe(_KEY_BYTES)}"
    return await store.put(desk.pool, named, _hash(secret), official.username, desk.clock.now()), secret


async def withdraw(desk: Desk, official: Staff, number: int) -> store.Key:
    """The key opens nothing from now on; withdrawing it again is harmless."""
    found = None
    if 0 < number < _NUMBER_MAX:
        found = await store.withdraw(desk.pool, number, official.username, desk.clock.now())
    if found is None:
        raise Refusal(Reason.UNKNOWN_KEY, "No key has this number; list them.")
    return found


async def reads_all(desk: Desk, request: Request[Any, Any, Any]) -> bool:
    """Whether the reader may see what is not published: administrators and auditors.

    Raises Refusal `bad_token` for an observer's key that was withdrawn or never made.
    """
    token = bearer(request)
    if token.startswith(PREFIX):
        if not await store.stands(desk.pool, _hash(token), day_in(desk.clock.now(), "UTC")):
            raise Refusal(CommonReason.BAD_TOKEN, "This key was withdrawn or is mistyped; ask who gave it to you.")
        return False
    staff = await desk.door.identify(request)
    return staff is not None and staff.has(Role.ADMINISTRATOR, Role.AUDITOR)


def _hash(secret: str) -> bytes:
    # 256 random bits: nobody guesses one from its hash, so that a slow hash would protect nothing.
    return hashlib.sha256(secret.encode()).digest()
