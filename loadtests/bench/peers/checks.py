"""What every peer checks of a ballot before it records it: token, window, ballot rule. The same code as ours.

A peer differs in how it records, never in what it lets pass.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.voting.ballot import BallotRule, Choice
from services.voting.voter_token import VoterToken, VoterTokens

RECEIPT_BYTES = 12


class Checks:
    """Read once at start from the file that BENCH_ROUND_FILE names."""

    def __init__(self) -> None:
        known: dict[str, Any] = json.loads(Path(os.environ["BENCH_ROUND_FILE"]).read_text("utf-8"))
        self.round_id, self.round_number = str(known["round"]), int(known["number"])
        self._tokens = VoterTokens(bytes.fromhex(known["token_key"]))
        window = known["windows"]["voting"]
        self._opens, self._closes = (datetime.fromisoformat(window[edge]) for edge in ("opens", "closes"))
        rule, cards = known["ballot"], known["candidates"]
        self.numbers = {str(card["candidate"]): int(card["number"]) for card in cards}
        choices = {card["candidate"]: Choice(card["number"], card["group"], card["channel"]) for card in cards}
        self._rule = BallotRule(
            rule["choices_min"], rule["choices_max"], rule["group_max"], rule["channels_min"], choices
        )

    def voter(self, authorization: str, round_id: str) -> VoterToken | None:
        """The person behind the header, None where the token is not genuine or belongs to another round."""
        scheme, _, text = authorization.partition(" ")
        token = self._tokens.verify(text, time.time()) if scheme.lower() == "bearer" else None
        return (
            token
            if token is not None and (token.round_number, self.round_id) == (self.round_number, round_id)
            else None
        )

    def problem(self, choices: list[str]) -> str | None:
        """What is wrong with the ballot, as a sentence; None when nothing is."""
        if not self._opens <= datetime.now(UTC) < self._closes:
            return "Ballots are taken between the opening and the closing moment."
        checked = self._rule.check(choices)
        return checked if isinstance(checked, str) else None


def new_receipt() -> str:
    return secrets.token_hex(RECEIPT_BYTES)
