"""Planted bugs: the platform with one mistake in it, run from a copy of the tree, and the schedules that must notice.

A mistake is a replacement of text in the service's code, or in a database function. That every text still stands in the
code exactly once is a test; that a schedule notices each of them is part of the full form.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from loadtests.chaos.stage import Stage
from services.cli.embedded.child import ChildSpec
from services.cli.embedded.home import PROJECT_FOLDER

ADMISSION, LEDGER, API = "services/voting/admission.py", "services/voting/ledger.py", "services/voting/api.py"
ROUNDS, CLOCK, APP = "services/voting/rounds.py", "services/shared/clock.py", "services/voting/app.py"
OUTBOX, TURNSTILE = "services/shared/outbox.py", "services/voting/turnstile.py"
TOKENS, PEOPLE = "services/voting/voter_token.py", "services/voting/identity/people.py"


@dataclass(frozen=True)
class Change:
    """One replacement in a file, or in the source of a function of voting's database (`file` is then its name)."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """`caught_by`: schedules that must notice, tried in this order; `service` runs from the changed copy."""

    name: str
    changes: tuple[Change, ...]
    caught_by: tuple[str, ...]
    service: str = "voting"
    function: Change | None = None


ACKNOWLEDGED_EARLY = Mutant(
    "acknowledged_before_the_commit",
    (Change(
        ADMISSION,
        "        recorded = await self._record(writer, [ballot.entry for ballot in entries])\n",
        "        for ballot in ballots:\n"
        "            entry = ballot.entry\n"
        "            settle(ballot, Accepted(entry.ballot_id, bytes(12), entry.received_at, 0, True))\n"
        "        recorded = await self._record(writer, [ballot.entry for ballot in entries])\n",
    ),),
    ("nothing",),
)  # fmt: skip

MUTANTS = (
    ACKNOWLEDGED_EARLY,
    Mutant(
        "a_lost_answer_counts_as_success",
        (Change(
            ADMISSION,
            "            except _UNKNOWN_OUTCOME as error:\n",
            "            except _UNKNOWN_OUTCOME as error:\n"
            "                made = [(e.ballot_id, e.choices, bytes(12), e.received_at, 0, True) for e in entries]\n"
            "                return [Recorded(*each) for each in made]\n",
        ),),
        ("postgres_commit_reply_lost", "postgres_killed"),
    ),
    Mutant(
        "the_ledger_waits_for_ever",
        (Change(LEDGER, "            timeout=self._timeout_s,\n        )\n", "            timeout=3600,\n        )\n"),
         Change(LEDGER, "(self._url, statement_timeout_s=self._timeout_s,", "(self._url, statement_timeout_s=3600,")),
        ("postgres_half_open",),
    ),
    Mutant(
        "the_window_is_not_checked",
        (Change(API, "        if not frozen.is_open(received_at):\n", "        if False:\n"),),
        ("edges_of_the_window",),
    ),
    Mutant(
        "the_window_closes_late",
        (Change(ROUNDS, "opens <= at < closes\n", "opens <= at < closes + timedelta(seconds=1)\n"),),
        ("edges_of_the_window",),
    ),
    Mutant(
        "the_window_opens_early",
        (Change(ROUNDS, "opens <= at < closes\n", "opens - timedelta(milliseconds=400) <= at < closes\n"),),
        ("edges_of_the_window",),
    ),
    Mutant(
        "a_repeat_from_the_ledger_gets_another_receipt",
        (Change(LEDGER, "Recorded(ballot_id, tuple(choices), codes, recorded_at, indexes[0], False)",
                "Recorded(ballot_id, tuple(choices), os.urandom(12), recorded_at, indexes[0], False)"),),
        ("valkey_wiped", "valkey_away"),
    ),
    Mutant(
        "choices_of_another_row",
        (Change(LEDGER, "for entry in batch]),\n", "for entry in reversed(batch)]),\n"),),
        ("postgres_stopped", "postgres_delayed"),
    ),
    Mutant(
        "a_repeat_is_told_already_voted",
        (Change(ADMISSION, "        if recorded.ballot_id == entry.ballot_id:\n",
                "        if recorded.ballot_id == entry.ballot_id and recorded.fresh:\n"),),
        ("valkey_wiped", "valkey_away"),
    ),
    Mutant(
        "a_used_ballot_id_takes_other_choices",
        (Change(ADMISSION, "            if recorded.choices != entry.choices:\n", "            if False:\n"),
         Change(ADMISSION, "    if hint.choices != pack(entry.choices):\n", "    if False:\n")),
        ("nothing",),
    ),
    Mutant(
        "one_hint_for_everybody",
        (Change("services/voting/shards.py", "_PERSON.pack(voter_key, ", "_PERSON.pack(bytes(16), "),),
        ("nothing",),
    ),
    Mutant(
        "valkeys_absence_refuses_people",
        (Change(TURNSTILE, "            self._open_breaker(call.shard)\n            return None\n",
                "            self._open_breaker(call.shard)\n            raise\n"),),
        ("valkey_away", "valkey_killed"),
    ),
    Mutant(
        "a_forged_token_is_good",
        (Change(TOKENS, "if not hmac.compare_digest(self._mac(payload), mac):\n", "if not mac:\n"),),
        ("nothing",),
    ),
    Mutant(
        "overloaded_without_a_time_to_come_back",
        (Change(ADMISSION, '"The ledger does not answer; the same ballot may be sent again.", 3)',
                '"The ledger does not answer; the same ballot may be sent again.")'),
         Change(ADMISSION, "        for attempt in range(self._retries + 1):\n", "        for attempt in range(1):\n")),
        ("postgres_killed",),
    ),
    Mutant(
        "the_seal_is_not_checked_again",
        (),
        ("ledger_late_for_the_seal",),
        function=Change("record_ballots", "AND rounds.sealed_at IS NULL ", ""),
    ),
    Mutant(
        "a_second_ballot_of_a_person_counts",
        (),
        ("nothing",),
        function=Change("record_ballots", "substring(packed FROM i.at FOR 16), periods[i.kind],",
                        "substring(packed FROM i.at FOR 16), (random() * 1000000)::int,"),
    ),
    Mutant(
        "a_stream_with_a_gap_stays_so",
        (Change(OUTBOX, "        if not whole or last > newest:\n", "        if False:\n"),),
        ("round_rebuild_swaps_after",),
        service="registry",
    ),
    Mutant(
        "the_checkpoint_moves_before_the_effect",
        (Change(
            OUTBOX,
            "                await self._apply(connection, entry.message)\n",
            "",
        ), Change(
            OUTBOX,
            "                checkpoint = entry.n\n",
            "                checkpoint = entry.n\n"
            "        async with transaction(self._pool) as connection:\n"
            "            await self._apply(connection, entry.message)\n",
        )),
        ("round_follower_commits_after",),
    ),
    Mutant(
        "a_wrong_clock_is_believed",
        (Change(API, " or not self._clock.trustworthy:\n", ":\n"),
         Change(CLOCK, "return time.monotonic() + self._anchor_s + self.offset_s", "return time.time()")),
        ("voting_clock_behind_across_the_close",),
    ),
    Mutant(
        "a_wrong_clock_seals",
        (Change(APP, "        if not context.clock.trustworthy:\n            return 0  # nobody knows whether",
                "        if False:\n            return 0  # nobody knows whether"),),
        ("postgres_clock_ahead_while_open",),
    ),
    Mutant(
        "a_lost_key_is_made_anew",
        (Change(PEOPLE, "        if frozen.has_key and ", "        if False and "),
         Change("services/voting/identity/binding_store.py", "    return known == fingerprint\n", "    return True\n")),
        ("round_key_missing",),
    ),
    # Last, because the running tallies that it spoils stay so, and an audit would blame the next one.
    Mutant(
        "the_follower_reads_past_what_is_under_way",
        (Change("services/voting/tally.py", " AND b.xid < pg_snapshot_xmin(pg_current_snapshot())\n", "\n"),),
        ("commits_out_of_order",),
    ),
)  # fmt: skip


def missing(mutant: Mutant) -> list[str]:
    """Texts that do not stand exactly once in their file: the code was changed, and the mutant must follow."""
    return [
        f"{mutant.name}: {change.file}: {change.old.strip()}"
        for change in mutant.changes
        if (PROJECT_FOLDER / change.file).read_text("utf-8").count(change.old) != 1
    ]


class Planter:
    """Puts one mistake after the other into a running platform; `restore` takes the last one out again."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self._stage, self._folder = stage, folder
        self._original: tuple[str, ChildSpec] | None = None
        self._function = ""

    async def plant(self, mutant: Mutant) -> None:
        """Raises ValueError where a text of the mutant is not there."""
        if self._original is not None and self._original[0] != mutant.service:
            await self.restore()
        await self._mend_function()
        tree = self._folder / mutant.name
        shutil.copytree(PROJECT_FOLDER / "services", tree / "services", ignore=shutil.ignore_patterns("__pycache__"))
        for change in mutant.changes:
            _apply(tree / change.file, change)
        self._function = await _replace_function(self._stage, mutant.function)
        # Modules are looked for in the working folder first, before the path of the environment.
        before = await self._stage.restart(mutant.service, lambda spec: replace(spec, folder=tree))
        self._original = self._original or (mutant.service, before)
        await self._stage.settled()

    async def restore(self) -> None:
        """The platform as it was."""
        await self._mend_function()
        if self._original is not None:
            name, spec = self._original
            await self._stage.restart(name, lambda _: spec)
            self._original = None
            await self._stage.settled()

    async def _mend_function(self) -> None:
        if self._function:
            await _execute(self._stage, self._function)
            self._function = ""


@asynccontextmanager
async def planting(stage: Stage) -> AsyncIterator[Planter]:
    """A planter whose last mistake is taken out when the block ends."""
    with tempfile.TemporaryDirectory(prefix="pingxuan-mutant-") as folder:
        planter = Planter(stage, Path(folder))
        try:
            yield planter
        finally:
            await planter.restore()


def _apply(path: Path, change: Change) -> None:
    text = path.read_text("utf-8")
    if text.count(change.old) != 1:
        raise ValueError(f"{change.file} has not exactly one {change.old.strip()!r}")
    path.write_text(text.replace(change.old, change.new), "utf-8")


async def _replace_function(stage: Stage, change: Change | None) -> str:
    """Change a function of voting's database; returns how it was."""
    if change is None:
        return ""
    async with stage.database("voting") as connection:
        before: str = await connection.fetchval(
            "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = $1 AND 'packed' = ANY (proargnames)",
            change.file,
        )
    if before.count(change.old) != 1:
        raise ValueError(f"{change.file}() has not exactly one {change.old!r}")
    await _execute(stage, before.replace(change.old, change.new))
    return before


async def _execute(stage: Stage, statement: str) -> None:
    async with stage.database("voting") as connection:
        await connection.execute(statement)
