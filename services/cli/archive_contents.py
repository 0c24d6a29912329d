"""What of a finished round goes into its archive, piece by piece in the order of the round's life.

Read through the services' own interfaces, so that nothing comes along that its reader may not see: identities of voters
and objectors are not to be had there. The same confirmed round gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from services.cli.client import CommandFailed, part

REGISTRY = "/api/registry/v1"
SCORING = "/api/scoring/v1"
# The path of a GET to (status, content).
Fetch = Callable[[str], tuple[int, bytes]]
# What an answer says of now or of its reader, not of the round.
_OF_THE_MOMENT = ("actions", "agree")
_OF_THE_MOMENT_ENDINGS = ("days_left", "overdue", "_left")


class Retention(StrEnum):
    """How long a piece is kept (保管期限), in the words of the State Archives Administration's order No. 8 of 2006."""

    FOR_EVER = "永久"
    YEARS_30 = "定期30年"
    YEARS_10 = "定期10年"


@dataclass(frozen=True)
class Piece:
    """One file (件) of the archive; `name` is its path there, `is_ours` whether the platform printed it."""

    name: str
    title: str
    responsible: str
    made_on: date
    retention: Retention
    content: bytes
    number: str = ""
    is_ours: bool = False


@dataclass(frozen=True)
class Archived:
    """A finished round: `confirmed_on` is the day its list was confirmed, from which the archive dates."""

    round: str
    title: str
    office: str
    confirmed_on: date
    digest: str
    pieces: tuple[Piece, ...]


class RoundReader:
    """One round read for its archive; raises CommandFailed where it is not finished or a service refuses."""

    def __init__(self, fetch: Fetch, round_id: str, office: str) -> None:
        self._fetch, self._id, self._office = fetch, round_id, office
        self._path = f"{REGISTRY}/rounds/{part(round_id)}"

    def read(self) -> Archived:
        """Everything, once the list is confirmed."""
        facts = self._require(self._path)
        if facts.get("rehearsal"):
            raise CommandFailed(f"{self._id} is a rehearsal: it is taken out of view, not archived")
        if not facts["list_version"]:
            raise CommandFailed(f"{self._id} has no published list yet: see `pingxuan rounds status {self._id}`")
        self._zone = ZoneInfo(facts["timezone"])
        newest = self._require(f"{self._path}/lists/{facts['list_version']}")
        if newest["retracted_at"] is not None:
            raise CommandFailed(f"list {newest['version']} of {self._id} was retracted: publish another one first")
        if newest["confirmed_at"] is None:
            closes = self._day(newest["objections_close_at"])
            raise CommandFailed(
                f"list {newest['version']} of {self._id} is not confirmed yet: objections are taken until {closes}, "
                "then a meeting confirms it"
            )
        pieces = (
            *self._rules(facts), *self._applications(facts), *self._results(), *self._lists(newest["version"]),
            *self._objections(), *self._projects(), *self._log(facts, newest["confirmed_at"]),
        )  # fmt: skip
        confirmed_on = self._day(newest["confirmed_at"])
        return Archived(self._id, facts["title"], self._office, confirmed_on, facts["digest"], pieces)

    def _rules(self, facts: Mapping[str, Any]) -> Iterator[Piece]:
        frozen_on = self._day(facts["frozen_at"])
        yield Piece(
            "1-rules/rules.toml", f"{facts['title']}评选规则（冻结文本）", self._office, frozen_on, Retention.FOR_EVER,
            facts["rules"].encode(),
        )  # fmt: skip

    def _applications(self, facts: Mapping[str, Any]) -> Iterator[Piece]:
        """Those that were handed in under a call; of a round from a folder, what the folder said of each candidate."""
        lines = list(self._pages(f"{REGISTRY}/calls/{part(self._id)}/applications"))
        for line in sorted(lines, key=lambda each: each["application"]):
            yield from self._application(line["application"])
        for card in [] if lines else sorted(facts["candidates"], key=lambda each: each["candidate"]):
            found = self._require(f"{self._path}/applications/{part(card['candidate'])}")
            yield Piece(
                f"2-applications/{card['candidate']}/application.json", f"申报材料：{card['title']}", card["unit"],
                self._day(facts["frozen_at"]), Retention.YEARS_30, _json(found),
            )  # fmt: skip

    def _application(self, identifier: str) -> Iterator[Piece]:
        path = f"{REGISTRY}/applications/{part(identifier)}"
        found, folder = self._require(path), f"2-applications/{identifier}"
        if not found["versions"]:
            return
        title, unit = found["title"] or identifier, found["lead"]["name"]
        handed_in_on = self._day(found["versions"][-1]["submitted_at"])
        form = self._file(f"{path}/form.pdf")
        yield Piece(
            f"{folder}/form.pdf", f"申报书：{title}", unit, handed_in_on, Retention.YEARS_30, form or b"", is_ours=True,
            number=found["version_code"],
        )  # fmt: skip
        yield Piece(
            f"{folder}/application.json", f"申报书数据：{title}", unit, handed_in_on, Retention.YEARS_30, _json(found)
        )  # fmt: skip
        yield from self._attached(folder, found["files"], title, unit, Retention.YEARS_30)
        if page := self._file(f"{path}/recommendation.pdf"):
            yield Piece(
                f"{folder}/recommendation.pdf", f"推荐意见：{title}", found.get("channel_name") or found["channel"],
                handed_in_on, Retention.YEARS_30, page, is_ours=True,
            )  # fmt: skip
        if review := self._json(f"{path}/review"):
            yield Piece(
                f"{folder}/review.json", f"初审记录：{title}", self._office, self._day(review["opened_at"]),
                Retention.YEARS_30, _json(review),
            )  # fmt: skip

    def _results(self) -> Iterator[Piece]:
        path = f"{SCORING}/rounds/{part(self._id)}"
        for each in self._pages(f"{path}/rankings", "rankings"):
            if not each.get("published_at"):
                continue
            version, day = each["version"], self._day(each["published_at"])
            statistics = self._file(f"{path}/rankings/{version}/statistics")
            if statistics is None:
                raise CommandFailed(
                    f"the statistics of ranking {version} of {self._id} are still being made, and its print would lack "
                    "them: try again in a minute"
                )
            for kind, is_ours in (("pdf", True), ("csv", False)):
                content = self._file(f"{path}/rankings/{version}.{kind}") or b""
                title = f"综合排名第{version}版"
                name = f"3-results/ranking-{version}.{kind}"
                yield Piece(name, title, self._office, day, Retention.FOR_EVER, content, is_ours=is_ours)
            yield Piece(
                f"3-results/statistics-{version}.json", f"排名统计第{version}版", self._office, day,
                Retention.YEARS_30, statistics,
            )  # fmt: skip
            bundle = self._file(f"{path}/bundle.zip?version={version}") or b""
            yield Piece(
                f"3-results/bundle-{version}.zip", f"公开数据包第{version}版（可据以重算排名）", self._office, day,
                Retention.YEARS_30, bundle,
            )  # fmt: skip

    def _lists(self, newest: int) -> Iterator[Piece]:
        minutes = {
            each["list_version"]: each["content"].get("minutes")
            for each in self._pages(f"{self._path}/lists/proposals")
            if each["act"] == "confirmation" and each["state"] == "done"
        }
        for version in range(1, newest + 1):
            path, folder = f"{self._path}/lists/{version}", "4-lists"
            found = self._require(path)
            day, number = self._day(found["published_at"]), found["document_number"] or ""
            for ending, title in (("pdf", f"名单第{version}版"), ("retraction.pdf", f"撤回公告：名单第{version}版")):
                if content := self._file(f"{path}.{ending}"):
                    name = f"{folder}/list-{version}.{ending}"
                    yield Piece(name, title, self._office, day, Retention.FOR_EVER, content, number, is_ours=True)
            if found["scan"] and (content := self._file(f"{path}/scan")):
                name, title = f"{folder}/list-{version}-stamped.pdf", f"名单第{version}版（盖章扫描件）"
                yield Piece(name, title, self._office, day, Retention.FOR_EVER, content, number)
            if (file := minutes.get(version)) and (content := self._attachment(file)):
                name, title = f"{folder}/minutes-{version}.pdf", f"会议纪要：{found['meeting_number']}"
                held_on = date.fromisoformat(found["held_on"])
                yield Piece(name, title, self._office, held_on, Retention.FOR_EVER, content, found["meeting_number"])

    def _objections(self) -> Iterator[Piece]:
        """With text and reply, and never the objector."""
        for line in sorted(self._pages(f"{self._path}/objections"), key=lambda each: each["receipt"]):
            found = self._require(f"{REGISTRY}/objections/{part(line['receipt'])}/file")
            day = date.fromisoformat(found["received_on"])
            name, title = f"5-objections/{line['receipt']}.json", f"异议及答复：{line['receipt']}"
            yield Piece(name, title, self._office, day, Retention.YEARS_30, _json(found))

    def _projects(self) -> Iterator[Piece]:
        """Those that are settled; the others come into the archive when they are."""
        for head in self._pages(f"{self._path}/projects"):
            if head["settled_at"] is None:
                continue
            found = self._require(f"{self._path}/projects/{part(head['candidate'])}")
            folder, title = f"6-projects/{head['candidate']}", head["title"]
            day = self._day(head["settled_at"])
            yield Piece(
                f"{folder}/project.json", f"项目实施与验收：{title}", head["unit_name"], day, Retention.YEARS_30,
                _json(found),
            )  # fmt: skip
            yield from self._attached(folder, found["attachments"], title, head["unit_name"], Retention.YEARS_30)

    def _log(self, facts: Mapping[str, Any], confirmed_at: str) -> Iterator[Piece]:
        """Up to the confirmation: later entries would make each archive another one."""
        until = part(confirmed_at)
        entries = self._file(f"{REGISTRY}/log/export?round={part(self._id)}&to={until}")
        yield Piece(
            "7-log/log.jsonl", f"{facts['title']}操作日志", self._office, self._day(confirmed_at),
            Retention.YEARS_10, entries or b"",
        )  # fmt: skip

    def _attached(
        self, folder: str, files: list[dict[str, Any]], title: str, unit: str, retention: Retention
    ) -> Iterator[Piece]:
        for each in sorted(files, key=lambda file: file["attachment"]):
            if content := self._attachment(each["attachment"]):
                ending = each["file_name"].rpartition(".")[2].lower()
                name = f"{folder}/{each['attachment']}.{ending if ending.isalnum() else 'bin'}"
                what = each.get("purpose_name") or each["purpose"]
                yield Piece(name, f"{what}：{title}", unit, self._day(each["uploaded_at"]), retention, content)

    def _attachment(self, identifier: str) -> bytes | None:
        return self._file(f"{REGISTRY}/attachments/{part(identifier)}")

    def _file(self, path: str) -> bytes | None:
        """None where there is no such thing, or nothing of it to print; raises CommandFailed for other refusals."""
        status, content = self._fetch(path)
        if status == 200:
            return content
        if status in (404, 409):
            return None
        raise CommandFailed(f"{path.partition('?')[0]} was refused: {_told(content) or status}")

    def _json(self, path: str) -> dict[str, Any] | None:
        content = self._file(path)
        found: dict[str, Any] | None = None if content is None else json.loads(content)
        return found

    def _require(self, path: str) -> dict[str, Any]:
        status, content = self._fetch(path)
        if status != 200:
            raise CommandFailed(_told(content) or f"{path} answered {status}")
        found: dict[str, Any] = json.loads(content)
        return found

    def _pages(self, path: str, key: str = "items") -> Iterator[dict[str, Any]]:
        """Every item of a list that comes in pages."""
        after = ""
        while found := self._json(f"{path}{after}"):
            yield from found[key]
            if found.get("next") is None:
                return
            after = f"?after={part(str(found['next']))}"

    def _day(self, moment: str) -> date:
        return datetime.fromisoformat(moment).astimezone(self._zone).date()


def _told(content: bytes) -> str:
    try:
        return str(json.loads(content).get("detail") or "").rstrip(".")
    except (ValueError, AttributeError):
        return ""


def _json(value: Any) -> bytes:
    """The same facts give the same bytes."""
    return (json.dumps(_lasting(value), ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _lasting(each)
            for name, each in value.items()
            if name not in _OF_THE_MOMENT and not name.endswith(_OF_THE_MOMENT_ENDINGS)
        }
    return [_lasting(each) for each in value] if isinstance(value, list) else value
