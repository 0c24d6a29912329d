"""Counted votes: `votes.csv` (totals) or `ballots.csv` (one row per ballot), both to one mapping.

`VoteCounts` maps (candidate, stratum) to a count; a pair that is not there counts 0. Ballots are read as a stream:
their order makes duplicates visible in constant memory, whatever their number.
"""

import io
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice
from operator import lt
from typing import BinaryIO, Final

from services.shared.ranking.csv_files import (
    IDENTIFIER_LENGTH_MAX,
    Block,
    check_label,
    check_whole_number,
    has_controls,
    read_blocks,
    read_rows,
    write_rows,
)
from services.shared.ranking.errors import InputError, shown

VoteCounts = Mapping[tuple[str, str], int]

VOTES_FILE: Final = "votes.csv"
VOTES_COLUMNS: Final = ("candidate", "votes", "stratum")
BALLOTS_FILE: Final = "ballots.csv"
BALLOTS_COLUMNS: Final = ("ballot", "state", "choices", "stratum")
STRATA_MAX: Final = 10_000
PROGRESS_ROWS: Final = 200_000
# Voters pick alike: what was looked at once is only counted afterwards, as long as it is little enough to remember.
# Counting over the whole file, not block by block, makes a ballot cost the same among many candidates as among few.
_ALIKE_MAX: Final = 100_000


def parse_votes(data: bytes, candidates: Collection[str], file: str = VOTES_FILE) -> dict[tuple[str, str], int]:
    """Read votes.csv; `candidates` are the known identifiers. Raises InputError with the line."""
    known = frozenset(candidates)
    counts: dict[tuple[str, str], int] = {}
    for line, (candidate, votes, stratum) in read_rows(io.BytesIO(data), file, VOTES_COLUMNS[:2], VOTES_COLUMNS):
        if candidate not in known:
            raise InputError(file, line, f"candidate {shown(candidate)} is not in candidates.csv; correct one of them")
        key = (candidate, check_label(stratum, "stratum", file, line))
        if key in counts:
            raise InputError(file, line, f"candidate {shown(candidate)} has this stratum twice; keep one row")
        counts[key] = check_whole_number(votes, "votes", file, line)
    return counts


def parse_ballots(
    stream: BinaryIO,
    candidates: Collection[str],
    file: str = BALLOTS_FILE,
    progress: Callable[[int], None] | None = None,
) -> dict[tuple[str, str], int]:
    """Count the ballots of a ballots.csv, read as a stream that must be strictly increasing by ballot.

    Only state `counted` counts; the choices of excluded ballots are checked all the same. `progress` is told the
    number of rows now and then.
    """
    tally = _BallotTally(candidates, file)
    number = 0
    for block in read_blocks(stream, file, BALLOTS_COLUMNS):
        if not tally.add_block(block):
            for line, (ballot, state, choices, stratum) in block.rows():
                tally.add(line, ballot, state, choices, stratum)
        before, number = number, number + len(block.fields) // block.width
        if progress is not None and number // PROGRESS_ROWS > before // PROGRESS_ROWS:
            progress(number)
    tally.settle()
    return {
        (candidate, stratum): count
        for stratum, counts in tally.by_stratum.items()
        for candidate, count in counts.items()
        if count
    }


class _BallotTally:
    def __init__(self, candidates: Collection[str], file: str) -> None:
        self._known = frozenset(candidates)
        self._file = file
        self._previous = ""
        self._alike: Counter[tuple[str, str, str]] = Counter()
        self.by_stratum: dict[str, dict[str, int]] = {}

    def add_block(self, block: Block) -> bool:
        """Take many ballots at once, several times as fast; False, and nothing taken, where one needs a second look."""
        ballots, states, choices, strata = block.columns()
        ordered = self._previous < ballots[0] and all(map(lt, ballots, islice(ballots, 1, None)))
        if not ordered or max(map(len, ballots)) > IDENTIFIER_LENGTH_MAX or has_controls("".join(ballots)):
            return False
        if not self._count(list(zip(states, strata, choices, strict=True))):
            return False
        self._previous = ballots[-1]
        if len(self._alike) > _ALIKE_MAX:
            self.settle()
        return True

    def _count(self, ballots: list[tuple[str, str, str]]) -> bool:
        """Count each (state, stratum, choices); False, and nothing counted, unless all are plain."""
        before = len(self._alike)
        self._alike.update(ballots)
        # What is new stands last in the order of the dictionary.
        fresh = list(islice(reversed(self._alike), len(self._alike) - before))
        if all(self._is_plain(*each) for each in fresh):
            return True
        self._alike.subtract(ballots)
        for each in fresh:
            del self._alike[each]
        return False

    def settle(self) -> None:
        """Give the candidates the votes that are counted by whole choices so far."""
        for (state, stratum, picked), count in self._alike.items():
            if state == "counted" and picked:
                totals = self.by_stratum[stratum]
                for pick in picked.split(" "):
                    totals[pick] += count
        self._alike.clear()

    def _is_plain(self, state: str, stratum: str, choices: str) -> bool:
        """Whether ballots alike can be taken; a stratum that is new to us is looked at by `add`."""
        if state != "excluded" and (state != "counted" or stratum not in self.by_stratum):
            return False
        picks = choices.split(" ") if choices else []
        return len(set(picks)) == len(picks) and self._known.issuperset(picks)

    def add(self, line: int, ballot: str, state: str, choices: str, stratum: str) -> None:
        if ballot <= self._previous:
            self._refuse_order(line, ballot)
        self._previous = check_label(ballot, "ballot", self._file, line)
        picks = choices.split(" ") if choices else []
        self._check_picks(line, picks)
        if state == "counted":
            counts = self.by_stratum.get(stratum) or self._new_stratum(line, stratum)
            for pick in picks:
                counts[pick] += 1
        elif state != "excluded":
            raise InputError(self._file, line, f"state {shown(state)} is unknown; use counted or excluded")

    def _check_picks(self, line: int, picks: list[str]) -> None:
        different = set(picks)
        if len(different) != len(picks):
            raise InputError(self._file, line, "names a candidate twice in its choices; one choice counts once")
        if not different <= self._known:
            unknown = next(pick for pick in picks if pick not in self._known)
            reason = f"choice {shown(unknown)} is not in candidates.csv; separate choices by one space"
            raise InputError(self._file, line, reason)

    def _new_stratum(self, line: int, stratum: str) -> dict[str, int]:
        check_label(stratum, "stratum", self._file, line)
        if len(self.by_stratum) >= STRATA_MAX:
            raise InputError(self._file, line, f"there are more than {STRATA_MAX} strata; merge small ones")
        counts = dict.fromkeys(self._known, 0)
        self.by_stratum[stratum] = counts
        return counts

    def _refuse_order(self, line: int, ballot: str) -> None:
        if not ballot:
            raise InputError(self._file, line, "ballot is empty; give each ballot its number")
        if ballot == self._previous:
            raise InputError(self._file, line, f"ballot {shown(ballot)} is there twice; keep one row")
        reason = f"ballot {shown(ballot)} comes after {shown(self._previous)}; sort the rows by ballot"
        raise InputError(self._file, line, reason)


def check_votes(votes: VoteCounts, candidates: Collection[str]) -> None:
    """Refuse counts of unknown candidates and negative ones, for callers that did not parse a file."""
    for (candidate, _), count in votes.items():
        if candidate not in candidates:
            raise InputError(VOTES_FILE, None, f"candidate {shown(candidate)} is not among the candidates")
        if count < 0:
            raise InputError(VOTES_FILE, None, f"candidate {shown(candidate)} has a count below 0")


def votes_csv(votes: VoteCounts) -> bytes:
    """Write votes.csv, sorted by candidate and stratum; the column stratum only where there is one."""
    width = 3 if any(stratum for _, stratum in votes) else 2
    rows = ((candidate, str(count), stratum)[:width] for (candidate, stratum), count in sorted(votes.items()))
    return write_rows(VOTES_COLUMNS[:width], rows)


def ballots_csv(ballots: Iterable[tuple[str, str, Iterable[str], str]]) -> bytes:
    """Write ballots.csv of (ballot, state, choices, stratum), sorted by ballot, choices sorted within each."""
    rows = sorted((ballot, state, " ".join(sorted(picks)), stratum) for ballot, state, picks, stratum in ballots)
    return write_rows(BALLOTS_COLUMNS, rows)
