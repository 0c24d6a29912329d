"""The bundle: everything a stranger needs to recompute a result, read with suspicion and written reproducibly.

`read_bundle` is the input of `pingxuan rank`; the scoring service writes with the functions below. File formats are
those of the public contract; each file's own module holds its reader and writer.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from services.shared.ranking.candidates import Candidate, candidates_csv, parse_candidates, parse_moment
from services.shared.ranking.containers import Container, open_container, read_small, write_container
from services.shared.ranking.csv_files import (
    check_label,
    check_text,
    check_whole_number,
    read_rows,
    write_rows,
)
from services.shared.ranking.errors import InputError, shown
from services.shared.ranking.fields import read_toml
from services.shared.ranking.model import Rules
from services.shared.ranking.ranking import Ranking, check_seed, rank
from services.shared.ranking.rules import parse_rules
from services.shared.ranking.scores import Score, ScoreRows, parse_score_rows, parse_scores, scores_csv
from services.shared.ranking.votes import (
    BALLOTS_FILE,
    VOTES_FILE,
    VoteCounts,
    ballots_csv,
    parse_ballots,
    parse_votes,
    votes_csv,
)

__all__ = [
    "Bundle",
    "Event",
    "Exclusion",
    "InputError",
    "Score",
    "ballots_csv",
    "candidates_csv",
    "events_csv",
    "exclusions_csv",
    "file_digests",
    "manifest_json",
    "parse_ballots",
    "parse_events",
    "parse_exclusions",
    "parse_reveal",
    "parse_scores",
    "parse_votes",
    "rank_bundle",
    "read_bundle",
    "reveal_toml",
    "scores_csv",
    "votes_csv",
    "write_bundle",
]

EVENT_COLUMNS: Final = ("at", "event", "detail")
EXCLUSION_COLUMNS: Final = ("reason", "candidate", "day", "ballots")


@dataclass(frozen=True, slots=True)
class Event:
    """Something the rules foresaw and that happened: an extension, a withdrawal."""

    at: datetime
    event: str
    detail: str


@dataclass(frozen=True, slots=True)
class Exclusion:
    """How many ballots of one day, naming the candidate, were excluded for a reason."""

    reason: str
    candidate: str
    day: str
    ballots: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle as read: votes or scores are None where it has no such file."""

    rules: Rules
    candidates: tuple[Candidate, ...]
    votes: VoteCounts | None
    score_rows: ScoreRows | None
    lots_seed: str | None
    events: tuple[Event, ...]
    exclusions: tuple[Exclusion, ...] = ()


def read_bundle(path: Path, progress: Callable[[int], None] | None = None) -> Bundle:
    """Read a folder or a zip; needs rules.toml, candidates.csv, and votes and/or scores. Raises InputError.

    `progress` is told the number of ballots read now and then.
    """
    with open_container(path) as container:
        rules = parse_rules(_required(container, "rules.toml"))
        candidates = parse_candidates(_required(container, "candidates.csv"))
        reveal = read_small(container, "reveal.toml")
        events = read_small(container, "events.csv")
        scores = read_small(container, "scores.csv")
        exclusions = read_small(container, "exclusions.csv")
        bundle = Bundle(
            rules=rules,
            candidates=candidates,
            votes=_read_votes(container, candidates, progress),
            score_rows=None if scores is None else parse_score_rows(scores),
            lots_seed=None if reveal is None else parse_reveal(reveal),
            events=() if events is None else parse_events(events),
            exclusions=() if exclusions is None else parse_exclusions(exclusions),
        )
    if bundle.votes is None and bundle.score_rows is None:
        raise InputError(path.name, None, "has neither votes nor scores; add votes.csv, ballots.csv or scores.csv")
    check_seed(rules, bundle.lots_seed)
    return bundle


def rank_bundle(bundle: Bundle) -> Ranking:
    """Rank what was read; errors name the line of the file."""
    rows = bundle.score_rows
    return rank(
        bundle.rules,
        bundle.candidates,
        bundle.votes,
        None if rows is None else rows.scores,
        bundle.lots_seed,
        None if rows is None else rows.lines,
    )


def _required(container: Container, name: str) -> bytes:
    data = read_small(container, name)
    if data is None:
        raise InputError(name, None, "is missing from the bundle; add it")
    return data


def _read_votes(
    container: Container, candidates: Iterable[Candidate], progress: Callable[[int], None] | None
) -> VoteCounts | None:
    known = {each.candidate for each in candidates}
    if container.has(BALLOTS_FILE):
        if container.has(VOTES_FILE):
            raise InputError(VOTES_FILE, None, f"stands beside {BALLOTS_FILE}; keep the one that counts")
        with container.open(BALLOTS_FILE) as stream:
            return parse_ballots(stream, known, progress=progress)
    votes = read_small(container, VOTES_FILE)
    return None if votes is None else parse_votes(votes, known)


def parse_reveal(data: bytes, file: str = "reveal.toml") -> str | None:
    """Return the seed of the lots; None where the file names none."""
    table = read_toml(data, file)
    table.only("lots_seed")
    return table.text("lots_seed") or None


def reveal_toml(lots_seed: str) -> bytes:
    """Write reveal.toml; the seed is one line of text."""
    escaped = lots_seed.replace("\\", "\\\\").replace('"', '\\"')
    return f'lots_seed = "{escaped}"\n'.encode()


def parse_events(data: bytes, file: str = "events.csv") -> tuple[Event, ...]:
    """Read events.csv; `at` is RFC 3339 with offset."""
    return tuple(
        Event(
            parse_moment(at, "at", file, line),
            check_label(event, "event", file, line, may_be_empty=False),
            check_text(detail, "detail", file, line),
        )
        for line, (at, event, detail) in read_rows(io.BytesIO(data), file, EVENT_COLUMNS)
    )


def events_csv(events: Iterable[Event]) -> bytes:
    """Write events.csv in order of time."""
    ordered = sorted(events, key=lambda each: (each.at, each.event, each.detail))
    return write_rows(EVENT_COLUMNS, ((each.at.isoformat(), each.event, each.detail) for each in ordered))


def parse_exclusions(data: bytes, file: str = "exclusions.csv") -> tuple[Exclusion, ...]:
    """Read exclusions.csv; each reason, candidate and day once."""
    found: dict[tuple[str, str, str], Exclusion] = {}
    for line, (reason, candidate, day, ballots) in read_rows(io.BytesIO(data), file, EXCLUSION_COLUMNS):
        key = check_text(reason, "reason", file, line), candidate, day
        if key in found:
            raise InputError(file, line, f"reason {shown(reason)} has this candidate and day twice; keep one row")
        found[key] = Exclusion(*key, check_whole_number(ballots, "ballots", file, line))
    return tuple(found.values())


def exclusions_csv(exclusions: Iterable[Exclusion]) -> bytes:
    """Write exclusions.csv, sorted."""
    rows = sorted((each.reason, each.candidate, each.day, str(each.ballots)) for each in exclusions)
    return write_rows(EXCLUSION_COLUMNS, rows)


def manifest_json(
    rules_digest: str, digests: Mapping[str, str], software: str, more: Mapping[str, object] | None = None
) -> bytes:
    """Write manifest.json: `digests` maps each file's name to its hex SHA-256; `more` adds keys of later versions."""
    content = {**(more or {}), "files": dict(digests), "rules_digest": rules_digest, "software": software}
    return (json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def file_digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the hex SHA-256 of each file."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}


def write_bundle(files: Mapping[str, bytes], path: Path, *, rules_digest: str, software: str) -> None:
    """Write the files and their manifest to a new folder, or a zip where `path` ends in `.zip`.

    The same files give the same bytes. Raises FileExistsError rather than replace anything.
    """
    manifest = manifest_json(rules_digest, file_digests(files), software)
    write_container({**files, "manifest.json": manifest}, path)
