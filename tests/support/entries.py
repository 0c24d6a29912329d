"""Ballots on their way into the ledger, for tests below HTTP."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec

from services.voting.entry import Entry


def entry(**changes: Any) -> Entry:
    """A new voter's ballot for candidate 1 of round 1, changed as told."""
    made = Entry(
        round_number=1, tag="{small:0}", voter_key=secrets.token_bytes(16), period=0, reissue=0, ballot_id=uuid4(),
        choices=(1,), stratum="", route="sms", device=None, address=secrets.token_bytes(8),
        received_at=datetime.now(UTC),
    )  # fmt: skip
    changed = msgspec.structs.replace(made, **changes)
    changed.__post_init__()
    return changed
