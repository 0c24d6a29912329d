"""National ID numbers of nobody: right check digits over made-up people of a place code that was never given out."""

from __future__ import annotations

import itertools

from services.voting.identity.national_id import check_digit

_serials = itertools.count(1)


def made_up_id(born: str = "19700301", serial: int | None = None) -> str:
    """An ID born on `born` (yyyymmdd), another one at each call unless `serial` is told."""
    number = next(_serials) % 1000 if serial is None else serial
    seventeen = f"990000{born}{number:03d}"
    return seventeen + check_digit(seventeen)
