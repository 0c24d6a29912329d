"""Receipts: random codes that carry their shard, written as `shared/crockford.py` does."""

from __future__ import annotations

from services.shared import crockford
from services.voting.ledger import RECEIPT_BYTES


def receipt_text(raw: bytes) -> str:
    """20 letters and digits."""
    return crockford.written(raw)


def parse_receipt(text: str) -> bytes | None:
    """The receipt's bytes, or None when it cannot be one."""
    return crockford.read(text, RECEIPT_BYTES)
