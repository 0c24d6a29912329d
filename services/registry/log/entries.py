"""What may be asked of the log, and how its entries leave it: filters, CSV rows, JSON lines. Pure."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal

CSV_COLUMNS = ("n", "id", "at", "actor", "action", "kind", "object", "round", "before", "after", "personal", "hash")
_TEXT_MAX = 200


class Filters(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which entries are asked for; empty members ask for all. `action` is a beginning, `until` is not included."""

    actor: str = ""
    kind: str = ""
    object: str = ""
    round: str = ""
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None


class Entry(msgspec.Struct, frozen=True):
    """An entry of the log; `n` and `hash` (hex) are there once it was chained."""

    id: int
    n: int | None
    at: datetime
    actor: str
    action: str
    kind: str
    object: str
    round: str
    before: Any
    after: Any
    personal: bool
    hash: str | None


def filters(actor: str, kind: str, object_id: str, round_id: str, action: str, since: str, until: str) -> Filters:
    """Filters from a query; raises Refusal `bad_filter` saying which is wrong."""
    for key, text in (("actor", actor), ("kind", kind), ("object", object_id), ("round", round_id), ("action", action)):
        if len(text) > _TEXT_MAX or "\0" in text:
            raise Refusal(RegistryReason.BAD_FILTER, f"{key} is longer than {_TEXT_MAX} characters.")
    return Filters(actor, kind, object_id, round_id, action, _moment("from", since), _moment("to", until))


def _moment(key: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        # A plus sign that nobody escaped arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refusal(RegistryReason.BAD_FILTER, f"{key} must be a time with offset, like 2020-10-01T00:00:00+08:00.")
    return moment


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """Rows of CSV (RFC 4180 quoting, LF); a cell that a spreadsheet would compute begins with an apostrophe."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return written.getvalue()


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def csv_row(row: Any) -> list[Any]:
    """One entry as CSV_COLUMNS; `line` of the row holds what JSON has."""
    return [row[name] for name in CSV_COLUMNS]


def json_line(row: Any) -> str:
    """One entry as it is hashed: its number, its canonical array, its hash; unchained entries have null for both."""
    n = "null" if row["n"] is None else str(row["n"])
    hashed = "null" if row["hash"] is None else f'"{row["hash"]}"'
    return f'{{"n": {n}, "hash": {hashed}, "entry": {row["line"]}}}\n'
