"""The checker of the fault runs: every broken promise is a finding, and a good run has none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from loadtests.chaos.checker import Evidence, Row, Tally, check
from loadtests.chaos.fsync_order import uncovered
from loadtests.chaos.mutants import MUTANTS, missing
from loadtests.chaos.recorder import Attempt, Outcome, Record

A, B = "ballot-a", "ballot-b"
OPEN, CLOSED = 100.0, 200.0
CLOSED_REASON, LATER = "window_closed", 1000.0


def attempt(number: int, ballot_id: str = A, kind: str = "own", at: float = 150.0, **changes: Any) -> Record:
    return msgspec.structs.replace(Attempt(number, "v", kind, ballot_id, ["c1"], at), **changes)


def told(number: int, status: int, reason: str = "", receipt: str = "", at: float = 0.0, **changes: Any) -> Record:
    answer = Outcome(number, status, at or 150.1 + number / 100, reason, receipt, A, status == 503)
    return msgspec.structs.replace(answer, **changes)


EVIDENCE = Evidence(
    "nothing", 1, OPEN, CLOSED, False, [Row("v", A, ["c1"], "R", 150.0)], Tally(1, {"c1": 1, "c2": 0}, True),
    {"R": "recorded"}, 0.5,
)  # fmt: skip
VOTED: list[Record] = [attempt(1), told(1, 201, receipt="R")]


def kinds(records: list[Record], **changes: Any) -> set[str]:
    return {finding.kind for finding in check(records, msgspec.structs.replace(EVIDENCE, **changes))}


def test_a_good_run_has_no_finding() -> None:
    repeated: list[Record] = [attempt(2, at=160.0), told(2, 200, receipt="R", at=160.1)]
    second: list[Record] = [attempt(3, B, "other", at=161.0), told(3, 409, "already_voted", at=161.1)]
    changed: list[Record] = [
        attempt(4, kind="reused", at=162.0, choices=["c2"]),
        told(4, 409, "ballot_id_reused", at=162.1),
    ]
    late: list[Record] = [attempt(5, at=201.0), told(5, 200, receipt="R", at=201.1)]
    too_late: list[Record] = [attempt(6, B, "late", at=201.0, voter="w"), told(6, 403, CLOSED_REASON, at=201.1)]
    assert kinds([*VOTED, *repeated, *second, *changed, *late, *too_late]) == set()


@pytest.mark.parametrize(
    ("records", "changes", "kind"),
    [
        (VOTED, {"rows": [], "tally": None}, "lost"),
        (VOTED, {"rows": [Row("v", A, ["c1"], "other", 150.0)]}, "altered"),
        (VOTED, {"rows": [Row("v", A, ["c2"], "R", 150.0)]}, "altered"),
        (VOTED, {"rows": [*EVIDENCE.rows, Row("v", B, ["c1"], "S", 150.0)]}, "doubled"),
        ([*VOTED, attempt(2, B), told(2, 201, receipt="S")], {}, "doubled"),
        (VOTED, {"rows": [*EVIDENCE.rows, Row("w", B, ["c1"], "S", 150.0)]}, "invented"),
        ([*VOTED, attempt(2, voter="f", kind="forged"), told(2, 201, receipt="S")], {}, "lost"),
        ([attempt(1, at=250.0), told(1, 201, receipt="R", at=250.1)], {}, "outside"),
        (VOTED, {"rows": [Row("v", A, ["c1"], "R", 200.0)]}, "outside"),
        ([*VOTED, attempt(2, at=160.0), told(2, 409, "already_voted", at=160.1)], {}, "refused"),
        ([*VOTED, attempt(2, at=201.0), told(2, 403, CLOSED_REASON, at=201.1)], {}, "refused"),
        ([attempt(1, voter="w"), told(1, 403, CLOSED_REASON)], {"rows": [], "tally": None}, "refused"),
        ([attempt(1, voter="w"), told(1, 503, "overloaded")], {"rows": [], "tally": None}, "refused"),
        ([attempt(1, voter="w")], {"rows": [], "tally": None}, "refused"),
        ([attempt(1), told(1, 503, "overloaded", has_retry_after=False), *VOTED], {"may_refuse": True}, ""),
        ([*VOTED, attempt(2, voter="w"), told(2, 500, "internal")], {"may_refuse": True}, "refused"),
        ([*VOTED, attempt(2, kind="reused", choices=["c2"]), told(2, 200, receipt="R")], {}, "refused"),
        (VOTED, {"tally": Tally(2, {"c1": 1}, True)}, "tally"),
        (VOTED, {"tally": Tally(1, {"c2": 1}, True)}, "tally"),
        (VOTED, {"tally": Tally(1, {"c1": 1}, False)}, "tally"),
        (VOTED, {"receipts": {"R": "held"}}, "receipt"),
        (VOTED, {"recovery_s": None}, "recovery"),
        (VOTED, {"recovery_s": 10.1}, "recovery"),
        (VOTED, {"controls": ["somebody voted twice"]}, "control"),
    ],
)
def test_every_broken_promise_is_found(records: list[Record], changes: dict[str, Any], kind: str) -> None:
    found = kinds(records, **changes)
    assert (kind in found) if kind else not found


def test_who_may_be_made_to_wait_may_get_no_answer() -> None:
    waited: list[Record] = [attempt(2, voter="w"), told(2, 503, "overloaded"), attempt(3, voter="w")]
    assert kinds([*VOTED, *waited], may_refuse=True) == set()
    unhelpful: list[Record] = [attempt(2, voter="w"), told(2, 503, "overloaded", has_retry_after=False)]
    assert kinds([*VOTED, *unhelpful], may_refuse=True) == {"refused"}


TRACE = """10 read(7<TCP:[1]>, "POST /api/voting/v1/rounds/r/ballots", 65536) = 600
20 fdatasync(5</data/pg_wal/0001>) = 0
10 write(7<TCP:[1]>, "HTTP/1.1 201 Created", 300) = 300
""".splitlines()


def test_the_order_of_fsync_is_read_from_a_trace() -> None:
    asked, synced, recorded = TRACE
    begun = "20 fdatasync(5</data/pg_wal/0001> <unfinished ...>"
    ended, failed = "20 <... fdatasync resumed>) = 0", "20 <... fdatasync resumed>) = -1 EIO (Input/output error)"
    assert uncovered(TRACE * 2) == (2, 0)
    assert uncovered([asked, begun, ended, recorded]) == (1, 0)
    for early in (
        [asked, recorded, synced],
        [synced, asked, recorded],
        [asked, begun, recorded, ended],
        # A sync that had begun before the ballot came may have written what was there before it.
        [begun, asked, ended, recorded],
        [asked, begun, failed, recorded],
        [asked, synced.replace("pg_wal", "base"), recorded],
    ):
        assert uncovered(early) == (1, 1)


def test_every_planted_bug_still_has_its_place_in_the_code() -> None:
    assert len(MUTANTS) >= 15
    assert [line for mutant in MUTANTS for line in missing(mutant)] == []
