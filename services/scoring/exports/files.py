"""A version of the ranking as a file, as its reader may see it: made once, off the event loop, one at a time.

Anybody may ask for the files of a published ranking, so that making them must not be a way to keep the service busy:
the newest few are kept, and whoever asks for another waits in line. Called by `api_rankings.py`.
"""

from __future__ import annotations

import asyncio
import io
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from services.scoring.exports.columns import titles_of
from services.scoring.exports.pdf import ranking_pdf
from services.scoring.exports.xlsx import ranking_xlsx
from services.scoring.reasons import Reason
from services.scoring.records import Ranking
from services.scoring.rounds import Round
from services.shared.errors import Refusal
from services.shared.ranking.csv_files import read_rows, write_rows
from services.shared.ranking.result import COLUMNS

# A page holds some thirty rows; laying out so many takes about ten seconds of one core.
PDF_ROWS_MAX = 3_000
_KEPT_BYTES_MAX = 32 * 1024 * 1024
NO_OUTCOME = "none"


class Kind(StrEnum):
    """Forms in which a ranking can be taken away."""

    CSV = "csv"
    XLSX = "xlsx"
    PDF = "pdf"
    JSON = "json"


MEDIA_TYPES = {
    Kind.CSV: "text/csv; charset=utf-8",
    Kind.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Kind.PDF: "application/pdf",
    Kind.JSON: "application/json",
}


class Filter(msgspec.Struct, frozen=True):
    """Rows of one group, of one outcome (`none` too), with a text in number, title or unit; empty means all."""

    group: str = ""
    outcome: str = ""
    text: str = ""

    def admits(self, row: Mapping[str, Any]) -> bool:
        told = f"{row['number']}\n{row['title']}\n{row['unit']}".casefold()
        return (
            self.group in ("", row["group"])
            and self.outcome in ("", row["outcome"] or NO_OUTCOME)
            and self.text.casefold() in told
        )

    @property
    def is_whole(self) -> bool:
        return self == Filter()


@dataclass(frozen=True, slots=True)
class Source:
    """What a file is made of: `body` as its reader may see it; `statistics` likewise, None until they are made."""

    round: Round
    ranking: Ranking
    body: Mapping[str, Any]
    wanted: Filter
    csv: bytes
    statistics: Mapping[str, Any] | None

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        return [row for row in self.body["rows"] if self.wanted.admits(row)]


@dataclass(frozen=True, slots=True)
class Shelf:
    """The newest files that were made, and the turn of whoever makes the next."""

    _made: OrderedDict[tuple[object, ...], bytes] = field(default_factory=OrderedDict)
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    async def take(self, key: tuple[object, ...], make: Callable[[], bytes]) -> bytes:
        """The file of this key, made in a thread where it is not there."""
        async with self._turn:
            if key not in self._made:
                self._made[key] = await asyncio.to_thread(make)
            self._made.move_to_end(key)
            found = self._made[key]
            while len(self._made) > 1 and sum(map(len, self._made.values())) > _KEPT_BYTES_MAX:
                self._made.popitem(last=False)
            return found


def write(kind: Kind, source: Source) -> bytes:
    """The file, the same bytes for the same source; raises Refusal `bad_filter` for a print that is too long."""
    if kind is Kind.CSV:
        return source.csv if source.wanted.is_whole else _cut(source.csv, source)
    titles, told = titles_of(source.body), facts(source)
    if kind is Kind.XLSX:
        return ranking_xlsx(told, source.rows, titles)
    if kind is Kind.PDF:
        ranking = source.ranking
        if len(source.rows) > PDF_ROWS_MAX:
            detail = f"A print holds at most {PDF_ROWS_MAX:,} rows; choose a group, or take the workbook."
            raise Refusal(Reason.BAD_FILTER, detail)
        return ranking_pdf(
            told,
            source.rows,
            titles,
            source.statistics,
            digest=ranking.digest,
            day=_local(source.round, ranking.published_at or ranking.created_at).date(),
            is_public=ranking.published_at is not None,
        )
    raise ValueError(f"{kind} is written by the route itself")


def _cut(csv: bytes, source: Source) -> bytes:
    kept = {row["candidate"] for row in source.rows}
    place = COLUMNS.index("candidate")
    return write_rows(
        COLUMNS, (row for _, row in read_rows(io.BytesIO(csv), "ranking.csv", COLUMNS) if row[place] in kept)
    )


def facts(source: Source) -> Sequence[tuple[str, str]]:
    """What the ranking rests on as (name, value), the title and the version first."""
    ranking, body = source.ranking, source.body
    published = ranking.published_at
    weights = body["weights"]
    told = [
        ("评选", source.round.title),
        ("版本", str(ranking.version)),
        ("公布时间", _local(source.round, published).strftime("%Y-%m-%d %H:%M") if published else "尚未公布"),
        ("公布人", f"{ranking.proposed_by}、{ranking.confirmed_by}" if published else ""),
        ("权重", f"投票 {weights['votes']}，专家 {weights['experts']}"),
        ("参与人数", _count(body["turnout"])),
        ("选票", _count(body["ballots"])),
        ("剔除选票", _count(body["excluded"])),
        ("规则摘要", ranking.rules_digest),
        ("计票摘要", ranking.tally_digest),
        ("评分摘要", ranking.sheets_digest),
        ("排名摘要", ranking.digest),
        ("软件", ranking.software),
    ]
    if not source.wanted.is_whole:
        wanted = source.wanted
        told.insert(2, ("筛选", "，".join(each for each in (wanted.group, wanted.outcome, wanted.text) if each)))
    return [(name, value) for name, value in told if value]


def _local(round_: Round, moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(round_.timezone))


def _count(number: int | None) -> str:
    return "" if number is None else str(number)
