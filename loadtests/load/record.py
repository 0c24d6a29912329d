"""What the people of a load run did and were told: counts by word, and every ballot with its fate.

Invariant: nothing here holds a phone number, a code or a token. Written by the people while they run, handed to
`verdict.py` as a file in a private folder; ballot ids and receipts in it are of made-up people and end with the run.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

import msgspec


class Step(StrEnum):
    """What a person does; the value names it in reports and goals."""

    ROUND_PAGE = "round_page"
    STATIC = "static"
    TURNOUT = "turnout"
    CANDIDATE_PAGE = "candidate_page"
    VOTE_PAGE = "vote_page"
    FACTS = "facts"
    CHALLENGE = "challenge"
    CODE = "code"
    TELEPHONE = "telephone"
    SESSION = "session"
    BALLOT = "ballot"
    OWN_BALLOT = "own_ballot"
    RECEIPT_PAGE = "receipt_page"
    STAFF_SIGN_IN = "staff_sign_in"
    EXPERT_PAGE = "expert_page"
    QUEUE = "queue"
    SHEET_PAGE = "sheet_page"
    SHEET_SAVE = "sheet_save"
    SHEET_SUBMIT = "sheet_submit"
    ADMIN_PAGE = "admin_page"
    PROGRESS = "progress"
    RANKINGS = "rankings"
    RANKING_ROWS = "ranking_rows"
    RANKING_PAGE = "ranking_page"
    RANKING_CSV = "ranking_csv"
    RANKING_XLSX = "ranking_xlsx"


OK, NO_ANSWER = "ok", "no_answer"
# What a busy or broken service says; no person is blamed by it.
OUR_FAULT = frozenset({NO_ANSWER, "overloaded", "unavailable", "internal", "codes_paused", "staff_stale"})


class Line(msgspec.Struct, frozen=True):
    """How often somebody was told something; `wanted` false: an honest person ought not to hear it."""

    person: str
    step: str
    word: str
    wanted: bool
    count: int


class Latency(msgspec.Struct, frozen=True):
    """Answer times of one step, honest people's only, in ms as locust rounds them (two digits above 100 ms)."""

    requests: int
    p50: float
    p95: float
    p99: float
    longest: float


class Report(msgspec.Struct, frozen=True):
    """Everything the people's process hands over; `breathless`: it had no CPU left, latencies contain its waiting."""

    lines: list[Line]
    latencies: dict[str, Latency]
    sent: dict[str, list[str]]
    receipts: dict[str, str]
    refused: list[str]
    altered: int
    out_of_window: int
    won_by_bots: int
    challenged: int
    exceptions: list[str]
    breathless: bool = False


class Record:
    """The same while it grows; one per process of people."""

    def __init__(self, opens_at: float, closes_at: float) -> None:
        self._opens_at, self._closes_at = opens_at, closes_at
        self._told: Counter[tuple[str, str, str, bool]] = Counter()
        self._sent: dict[str, list[str]] = {}
        self._receipts: dict[str, str] = {}
        self._refused: set[str] = set()
        self._unsure: set[str] = set()
        self._altered = self._out_of_window = 0
        self.won_by_bots = self.challenged = 0

    def tell(self, person: str, step: Step, word: str, *, wanted: bool) -> None:
        """Somebody was told `word`."""
        self._told[person, step.value, word, wanted] += 1

    def sending(self, ballot_id: str, choices: list[str]) -> None:
        """A ballot leaves the phone: from now on it may be in the ledger."""
        self._sent[ballot_id] = choices

    def acknowledged(self, ballot_id: str, receipt: str, sent_at: float, answered_at: float, *, fresh: bool) -> None:
        """A ballot's receipt came; another than before, or a new ballot outside the window, is our fault."""
        self._altered += self._receipts.setdefault(ballot_id, receipt) != receipt
        self._out_of_window += fresh and (sent_at >= self._closes_at or answered_at < self._opens_at)
        self._refused.discard(ballot_id)

    def unsure(self, ballot_id: str) -> None:
        """An answer was lost: the ballot may be in the ledger, and whoever sent it does not know."""
        self._unsure.add(ballot_id)

    def refused(self, ballot_id: str) -> None:
        """The service said that this ballot does not count; an earlier try of it that is still on its way may."""
        if ballot_id not in self._receipts and ballot_id not in self._unsure:
            self._refused.add(ballot_id)

    def closed_rightly(self, sent_at: float, answered_at: float) -> bool:
        """Whether `window_closed` may be told of what was sent and answered then."""
        return sent_at < self._opens_at or answered_at >= self._closes_at

    def report(self, latencies: dict[str, Latency], exceptions: list[str], *, breathless: bool = False) -> Report:
        """Everything so far."""
        lines = [Line(*key, count) for key, count in sorted(self._told.items())]
        return Report(
            lines, latencies, self._sent, self._receipts, sorted(self._refused), self._altered, self._out_of_window,
            self.won_by_bots, self.challenged, exceptions, breathless,
        )  # fmt: skip
