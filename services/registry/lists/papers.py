"""A list as it goes out on paper: its content for the documents, its number, its stamped scan, its retraction. Pure."""

from itertools import groupby
from zoneinfo import ZoneInfo

import msgspec

from services.registry.documents.forms import ListEntry, ListGroup, PublishedList, Retraction
from services.registry.lists.store import Notice, NoticeEntry
from services.registry.rounds.views import Round
from services.shared.typesetting.version_code import version_code
from services.shared.vocabulary import LEVELS

DOCUMENT_NUMBER_MAX = 60
_OUTCOMES = {"selected": "", "reserve": "候补"}


def heading(group: str) -> str:
    """The words over a group of a list."""
    if group == "all":
        return "全部项目"
    value = group.partition("=")[2].partition(";")[0]
    return LEVELS.get(value, group)


def code_of(notice: Notice) -> str:
    """The version code on paper: of everything the list says."""
    return version_code(msgspec.json.encode([notice.round, notice.version, notice.rules_digest, notice.entries]))


def paper(round_: Round, notice: Notice, office: str, contact: str) -> PublishedList:
    """The list as the document wants it."""
    zone = ZoneInfo(round_.timezone)
    groups = [(name, list(entries)) for name, entries in groupby(notice.entries, key=lambda entry: entry.group)]
    opens, closes = (at.astimezone(zone) for at in (notice.objections_open_at, notice.objections_close_at))
    introduction = "根据冻结的规则，综合网络投票和专家评审，形成以下名单，现予公示。"
    if notice.confirmed_at is not None:
        introduction = f"经公示并由{notice.meeting_number}会议研究确定，名单如下。"
    closing = (
        f"公示期自{opens:%Y年%m月%d日 %H:%M}至{closes:%Y年%m月%d日 %H:%M}。"
        "对名单有异议的，请在公示期内提出，写明事实和依据。"
        f"\n联系方式：{contact}\n规则摘要：{notice.rules_digest}"
    )
    return PublishedList(
        heading=f"{round_.title}{'名单' if notice.confirmed_at else '结果公示'}（第{notice.version}版）",
        document_number=notice.document_number or "", issuing_office=office,
        issued_on=notice.published_at.astimezone(zone).date(), introduction=introduction,
        groups=tuple(ListGroup(heading(name), tuple(map(_entry, entries))) for name, entries in groups),
        closing=closing, version_code=code_of(notice),
    )  # fmt: skip


def _entry(entry: NoticeEntry) -> ListEntry:
    return ListEntry(entry.number, entry.title, entry.unit, _OUTCOMES.get(entry.outcome, ""))


def retraction_paper(round_: Round, notice: Notice, office: str, newest: int) -> Retraction:
    """The announcement that takes a list back; only of a retracted one."""
    assert notice.retracted_at is not None
    zone = ZoneInfo(round_.timezone)
    return Retraction(
        document_number="", issuing_office=office, issued_on=notice.retracted_at.astimezone(zone).date(),
        retracted_heading=f"{round_.title}结果公示（第{notice.version}版）",
        retracted_number=notice.document_number or "",
        retracted_issued_on=notice.published_at.astimezone(zone).date(), reason=notice.retraction or "",
        replaced_by=f"第{newest}版名单" if newest > notice.version else "", version_code=code_of(notice),
    )  # fmt: skip
