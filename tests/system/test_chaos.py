"""The fault runs of `make chaos` in short: a few schedules on a platform of their own, judged by the same checker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from loadtests.chaos.__main__ import check_again
from loadtests.chaos.checker import load, told_of
from loadtests.chaos.runs import Journal, Result, open_stage, play_all
from loadtests.chaos.schedules import Schedule, schedules
from loadtests.chaos.stage import Stage
from tests.system.town import use_own_ports

BACKLOG = 20_000
PEOPLE = 20
SEED = 1
# Other tests run beside these: how soon all is well again is for the full form, on a machine that does nothing else.
PATIENCE = 4.0
# One of each kind: people's own line, a lost answer of the ledger, a server, a worker, the seal, a follower between two
# steps. What is not here is in the full form; Valkey's absence has tests of its own (test_faults.py).
SHORT = (
    "clients_cut_answering", "postgres_commit_reply_lost", "postgres_immediate", "worker_killed",
    "ledger_late_for_the_seal", "round_follower_commits_after",
)  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    with pytest.MonkeyPatch.context() as environment:
        use_own_ports(environment)
        runs, home = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("h") / "home"
        async with open_stage(runs, home, patience=PATIENCE) as made:
            yield made


@pytest.mark.timeout(240)
async def test_no_fault_of_the_short_form_breaks_a_promise(stage: Stage, tmp_path: Path) -> None:
    table = schedules(BACKLOG)
    journal = Journal(tmp_path / "journal.jsonl")
    results = await play_all(stage, [(_few(table[name]), SEED) for name in SHORT], journal.add)
    assert [result for result in results if not result.is_good] == []
    assert Journal(tmp_path / "journal.jsonl").results == results
    assert journal.has(SHORT[0], SEED)
    assert sum(result.attempts for result in results) > len(SHORT) * PEOPLE
    _are_kept(stage, results)


def _few(schedule: Schedule) -> Schedule:
    return Schedule(schedule.name, schedule.play, may_refuse=schedule.may_refuse, people=PEOPLE)


def _are_kept(stage: Stage, results: list[Result]) -> None:
    """Each run can be judged again from what was recorded, and a recording that lies is noticed."""
    for result in results:
        folder = stage.folder / f"{result.schedule}-{result.seed}".replace("_", "-")
        assert check_again(folder) == 0
    records, evidence = load(folder)
    acknowledged = [each for each in told_of(records) if each.is_recorded]
    assert acknowledged
    assert evidence.rows
