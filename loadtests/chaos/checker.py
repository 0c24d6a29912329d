"""The offline checker: what people tried and were told, against what ledger, tally and receipts hold afterwards.

Pure and without I/O but `load` and `store`, so that a recording can be judged again at any time:
`python -m loadtests.chaos check FOLDER`. Every finding names a promise that was broken.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from loadtests.chaos.recorder import Attempt, Moment, Outcome, Record, read

RECOVERY_S_MAX = 10.0
# Between the moment the service judged by and the one noted here lie a few instructions and one clock correction.
EDGE_S = 0.05
EVIDENCE, RECORDING = "evidence.json", "recording.jsonl"

Kind = Literal["lost", "doubled", "altered", "outside", "invented", "refused", "tally", "receipt", "audit", "recovery",
               "control"]  # fmt: skip


class Row(msgspec.Struct, frozen=True):
    """A ballot as the ledger has it; `choices` by candidate."""

    voter: str
    ballot_id: str
    choices: list[str]
    receipt: str
    received_at: float


class Tally(msgspec.Struct, frozen=True):
    """The sealed tally, and whether scoring holds the same (by digest)."""

    ballots: int
    votes: dict[str, int]
    scoring_agrees: bool


class Evidence(msgspec.Struct, frozen=True):
    """What was found after a run. `open_from`, `open_until`: the window; `recovery_s`: None where it never came back.

    `may_refuse`: this fault may make people wait (503 or no answer); elsewhere nobody may notice anything. A machine
    that does much else at the same time is given a longer `recovery_s_max`.
    """

    schedule: str
    seed: int
    open_from: float
    open_until: float
    may_refuse: bool
    rows: list[Row]
    tally: Tally | None
    receipts: dict[str, str]
    recovery_s: float | None
    audit: list[str] = []
    controls: list[str] = []
    recovery_s_max: float = RECOVERY_S_MAX


class Finding(msgspec.Struct, frozen=True):
    kind: Kind
    detail: str


class Told(msgspec.Struct, frozen=True):
    """An attempt with its outcome; an attempt without one was never answered."""

    attempt: Attempt
    outcome: Outcome

    @property
    def is_recorded(self) -> bool:
        return self.outcome.status in (200, 201)


def told_of(records: Iterable[Record]) -> list[Told]:
    """Attempts with their outcomes, in the order of the attempts."""
    attempts: dict[int, Attempt] = {}
    outcomes: dict[int, Outcome] = {}
    for record in records:
        if isinstance(record, Attempt):
            attempts[record.number] = record
        elif isinstance(record, Outcome):
            outcomes[record.number] = record
    unanswered = Outcome(0, 0, float("inf"))
    return [Told(attempt, outcomes.get(number, unanswered)) for number, attempt in attempts.items()]


def check(records: Sequence[Record], evidence: Evidence) -> list[Finding]:
    """Everything that is not as promised; empty for a good run."""
    told = told_of(records)
    findings = [*_ledger(told, evidence), *_rows(told, evidence), *_tally(evidence), *_receipts(told, evidence)]
    findings += [finding for each in told if (finding := _refusal(each, told, evidence)) is not None]
    findings += [Finding("audit", line) for line in evidence.audit]
    findings += [Finding("control", line) for line in evidence.controls]
    if evidence.recovery_s is None or evidence.recovery_s > evidence.recovery_s_max:
        findings.append(Finding("recovery", f"after {evidence.recovery_s} s"))
    return findings


def _ledger(told: Sequence[Told], evidence: Evidence) -> Iterable[Finding]:
    """What was acknowledged stands in the ledger, once and unaltered."""
    rows = {(row.voter, row.ballot_id): row for row in evidence.rows}
    fresh: Counter[str] = Counter()
    receipts: dict[str, set[str]] = defaultdict(set)
    for each in told:
        attempt, outcome = each.attempt, each.outcome
        if not each.is_recorded:
            continue
        fresh[attempt.voter] += outcome.status == 201
        receipts[attempt.voter].add(outcome.receipt)
        row = rows.get((attempt.voter, attempt.ballot_id))
        if row is None:
            yield Finding("lost", f"attempt {attempt.number} was told {outcome.status}, and no row has its ballot id")
        elif row.receipt != outcome.receipt:
            yield Finding("altered", f"attempt {attempt.number} was told another receipt than the ledger has")
        elif sorted(row.choices) != sorted(attempt.choices):
            yield Finding("altered", f"attempt {attempt.number} chose {attempt.choices}, the ledger {row.choices}")
        elif outcome.ballot_id != attempt.ballot_id:
            yield Finding("altered", f"attempt {attempt.number} was told another ballot id than it sent")
    for voter in receipts:
        if fresh[voter] > 1 or len(receipts[voter]) > 1:
            yield Finding(
                "doubled", f"voter {voter} was told of {fresh[voter]} new ballots, {len(receipts[voter])} receipts"
            )


def _rows(told: Sequence[Told], evidence: Evidence) -> Iterable[Finding]:
    """Every row is somebody's one ballot, sent by that person inside the window."""
    tries: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for each in told:
        tries[each.attempt.voter, each.attempt.ballot_id].append(each)
    for voter, count in Counter(row.voter for row in evidence.rows).items():
        if count > 1:
            yield Finding("doubled", f"voter {voter} has {count} rows")
    for row in evidence.rows:
        sent = [each for each in tries[row.voter, row.ballot_id] if each.attempt.kind != "forged"]
        if not any(sorted(each.attempt.choices) == sorted(row.choices) for each in sent):
            yield Finding("invented", f"nobody sent ballot {row.ballot_id} with {row.choices}")
        elif not any(_may_be_inside(each, evidence) for each in sent):
            yield Finding("outside", f"ballot {row.ballot_id} was never sent inside the window")
        if not evidence.open_from <= row.received_at < evidence.open_until:
            yield Finding("outside", f"ballot {row.ballot_id} stands as received outside the window")


def _may_be_inside(each: Told, evidence: Evidence) -> bool:
    return each.attempt.at < evidence.open_until + EDGE_S and each.outcome.at > evidence.open_from - EDGE_S


def _refusal(each: Told, told: Sequence[Told], evidence: Evidence) -> Finding | None:
    """Whether somebody was refused (or accepted) as the contract does not say."""
    attempt, outcome = each.attempt, each.outcome
    said = f"{attempt.kind} attempt {attempt.number} was told {outcome.status} {outcome.reason}".rstrip()
    if outcome.status == 0:
        return (
            None if evidence.may_refuse else Finding("refused", f"{attempt.kind} attempt {attempt.number}: no answer")
        )
    if outcome.status == 503:
        if outcome.reason != "overloaded" or not outcome.has_retry_after:
            return Finding("refused", f"{said}, which is no `overloaded` with a time to come back")
        # After the close a new ballot may find the round sealed; nobody is made to wait elsewhere.
        return None if evidence.may_refuse or attempt.kind == "late" else Finding("refused", said)
    return None if _is_rightful(each, told, evidence) else Finding("refused", said)


def _is_rightful(each: Told, told: Sequence[Told], evidence: Evidence) -> bool:
    attempt, outcome = each.attempt, each.outcome
    if outcome.reason == "window_closed":
        before, after = attempt.at < evidence.open_from + EDGE_S, outcome.at > evidence.open_until - EDGE_S
        return (before or after) and not _was_acknowledged(attempt, told)
    if attempt.kind == "forged":
        return outcome.reason == "bad_token"
    if each.is_recorded:
        return attempt.kind != "reused"
    if attempt.kind == "reused":
        return outcome.reason == "ballot_id_reused"
    # A second ballot loses against one that won, whichever of them that is.
    mine = [other for other in told if other.attempt.voter == attempt.voter]
    rivals = [other for other in mine if other.attempt.ballot_id != attempt.ballot_id]
    return outcome.reason == "already_voted" and bool(rivals) and not _was_acknowledged(attempt, told)


def _was_acknowledged(attempt: Attempt, told: Sequence[Told]) -> bool:
    """Whether this very ballot had been acknowledged before the attempt: then it is a repeat and gets its receipt."""
    return any(
        other.is_recorded and other.attempt.voter == attempt.voter and other.attempt.ballot_id == attempt.ballot_id
        and other.outcome.at < attempt.at
        for other in told
    )  # fmt: skip


def _tally(evidence: Evidence) -> Iterable[Finding]:
    tally = evidence.tally
    if tally is None:
        return
    recount = Counter(choice for row in evidence.rows for choice in row.choices)
    if tally.ballots != len(evidence.rows):
        yield Finding("tally", f"the sealed tally has {tally.ballots} ballots, the ledger {len(evidence.rows)}")
    if {name: votes for name, votes in tally.votes.items() if votes} != dict(recount):
        yield Finding("tally", "the sealed tally counts other votes than the ledger holds")
    if not tally.scoring_agrees:
        yield Finding("tally", "scoring holds another tally, or none")


def _receipts(told: Sequence[Told], evidence: Evidence) -> Iterable[Finding]:
    for receipt in {each.outcome.receipt for each in told if each.is_recorded}:
        if receipt in evidence.receipts and evidence.receipts[receipt] != "recorded":
            yield Finding("receipt", f"the receipt of a recorded ballot answers {evidence.receipts[receipt]!r}")


def moments(records: Iterable[Record]) -> dict[str, float]:
    """Named moments of a run."""
    return {record.word: record.at for record in records if isinstance(record, Moment)}


def store(folder: Path, evidence: Evidence) -> None:
    (folder / EVIDENCE).write_bytes(msgspec.json.format(msgspec.json.encode(evidence)))


def load(folder: Path) -> tuple[list[Record], Evidence]:
    """A run's recording and evidence; raises OSError or msgspec.DecodeError."""
    return read(folder / RECORDING), msgspec.json.decode((folder / EVIDENCE).read_bytes(), type=Evidence)
