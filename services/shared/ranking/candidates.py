"""`candidates.csv`: who stands, in which group, and who withdrew."""

import io
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from services.shared.ranking.csv_files import check_identifier, check_label, check_text, read_rows, write_rows
from services.shared.ranking.errors import InputError, shown
from services.shared.ranking.model import Rules

FILE = "candidates.csv"
COLUMNS = ("candidate", "title", "unit", "channel", "category", "level", "withdrawn_at")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate of the round; choices and marks of one with `withdrawn_at` count for nothing."""

    candidate: str
    title: str
    unit: str
    channel: str
    category: str
    level: str
    withdrawn_at: datetime | None = None


def parse_candidates(data: bytes, file: str = FILE) -> tuple[Candidate, ...]:
    """Read candidates.csv; at least one candidate, each once. Raises InputError with the line."""
    found: dict[str, Candidate] = {}
    for line, row in read_rows(io.BytesIO(data), file, COLUMNS[:-1], COLUMNS):
        candidate = _read_candidate(row, file, line)
        if candidate.candidate in found:
            raise InputError(file, line, f"candidate {shown(candidate.candidate)} is there twice; keep one row")
        found[candidate.candidate] = candidate
    if not found:
        raise InputError(file, 1, "has no candidates; add a row for each")
    return tuple(found.values())


def _read_candidate(row: list[str], file: str, line: int) -> Candidate:
    identifier, title, unit, channel, category, level, withdrawn_at = row
    for column, label in (("channel", channel), ("category", category), ("level", level)):
        check_label(label, column, file, line)
        if ";" in label:
            raise InputError(file, line, f"{column} {shown(label)} must not contain ; which joins group names")
    return Candidate(
        candidate=check_identifier(identifier, "candidate", file, line),
        title=check_text(title, "title", file, line),
        unit=check_text(unit, "unit", file, line),
        channel=channel,
        category=category,
        level=level,
        withdrawn_at=parse_moment(withdrawn_at, "withdrawn_at", file, line) if withdrawn_at else None,
    )


def parse_moment(text: str, column: str, file: str, line: int) -> datetime:
    """Read an RFC 3339 date and time with offset."""
    if _MOMENT.fullmatch(text):
        with suppress(ValueError):  # a date that no calendar has, told like any other bad one
            return datetime.fromisoformat(text.upper())
    reason = f"{column} {shown(text)} must be a date and time with offset, like 2020-10-22T09:00:00+08:00"
    raise InputError(file, line, reason)


def group_values(candidate: Candidate, rules: Rules) -> tuple[str, ...]:
    """Return the candidate's values of the keys that the rules group by, in that order."""
    values = {"level": candidate.level, "category": candidate.category, "channel": candidate.channel}
    return tuple(values[key] for key in rules.groups.by)


def group_of(candidate: Candidate, rules: Rules) -> str:
    """Return the name of the candidate's group: `level=major;category=culture`, or `all`."""
    pairs = zip(rules.groups.by, group_values(candidate, rules), strict=True)
    return ";".join(f"{key}={value}" for key, value in pairs) or "all"


def places_key(candidate: Candidate, rules: Rules) -> str:
    """Return the name under which [selection] places knows the candidate's group: `major;culture`, or `all`."""
    return ";".join(group_values(candidate, rules)) if rules.groups.by else "all"


def candidates_csv(candidates: Iterable[Candidate]) -> bytes:
    """Write candidates.csv, sorted by candidate; the column withdrawn_at only where somebody withdrew."""
    ordered = sorted(candidates, key=lambda each: each.candidate)
    with_withdrawn = any(each.withdrawn_at for each in ordered)
    width = len(COLUMNS) if with_withdrawn else len(COLUMNS) - 1
    rows = (
        (
            each.candidate,
            each.title,
            each.unit,
            each.channel,
            each.category,
            each.level,
            each.withdrawn_at.isoformat() if each.withdrawn_at else "",
        )[:width]
        for each in ordered
    )
    return write_rows(COLUMNS[:width], rows)
