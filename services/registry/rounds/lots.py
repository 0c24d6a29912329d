"""Candidate numbers by lot: from a published random seed, so that anybody can draw them again."""

import hashlib
import secrets
from collections.abc import Iterable

SEED_BYTES = 16


def new_seed() -> str:
    """128 random bits in hex."""
    return secrets.token_hex(SEED_BYTES)


def commitment(seed: str) -> str:
    """What is published of a seed before it is revealed: its SHA-256 (UTF-8, hex)."""
    return hashlib.sha256(seed.encode()).hexdigest()


def draw_numbers(candidates: Iterable[str], seed: str) -> dict[str, int]:
    """Candidate → number from 1, in the order of SHA-256 of `seed + ":" + candidate` (UTF-8, hex, ascending)."""
    drawn = sorted(candidates, key=lambda candidate: hashlib.sha256(f"{seed}:{candidate}".encode()).hexdigest())
    return {candidate: number for number, candidate in enumerate(drawn, start=1)}
