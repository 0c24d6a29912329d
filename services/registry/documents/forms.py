"""What the printed documents are made of: frozen structs, filled by the callers, that know neither SQL nor HTTP.

A word of a closed vocabulary (level, category, kind) stands here as in the database; the printers put its Chinese name.
`version_code` comes from `version_code.py`, over the content as the caller stores it: a later form of the printout must
not change the code of what was stamped.
"""

from datetime import date
from decimal import Decimal

import msgspec

from services.registry.rounds.applications import BudgetLine, Target, TeamMember, Unit


class Consent(msgspec.Struct, frozen=True):
    """A partner's consent (合作单位意见); `given_on` is None where paper is still to be stamped."""

    partner: str
    given_on: date | None = None
    given_by: str = ""


class ApplicationForm(msgspec.Struct, frozen=True):
    """The 申报书; long texts may have paragraphs divided by line breaks."""

    round_title: str
    application: str
    title: str
    level: str
    category: str
    channel_name: str
    lead: Unit
    partners: tuple[Unit, ...]
    filled_on: date
    need_analysis: str
    work_plan: str
    innovation_analysis: str
    summary: str
    team: tuple[TeamMember, ...]
    budget: tuple[BudgetLine, ...]
    targets: tuple[Target, ...]
    contingencies: str
    consents: tuple[Consent, ...]
    version_code: str

    @property
    def budget_total(self) -> Decimal:
        return sum((line.amount for line in self.budget), Decimal(0))


class RecommendationPage(msgspec.Struct, frozen=True):
    """The 推荐意见 of a channel on one application; `exemption` says why it stands above the quota."""

    round_title: str
    channel_name: str
    application: str
    title: str
    lead_name: str
    level: str
    category: str
    rank: int
    quota: int
    opinion: str
    recommended_on: date
    version_code: str
    exemption: str = ""


class RecommendedRow(msgspec.Struct, frozen=True):
    """One line of the 推荐汇总表; `budget_total` in yuan."""

    rank: int
    title: str
    lead_name: str
    partner_names: tuple[str, ...]
    level: str
    category: str
    budget_total: Decimal
    note: str = ""


class RecommendationSummary(msgspec.Struct, frozen=True):
    """The 推荐汇总表 of a channel."""

    round_title: str
    channel_name: str
    quota: int
    rows: tuple[RecommendedRow, ...]
    made_on: date
    version_code: str


class ListEntry(msgspec.Struct, frozen=True):
    """One project of a list; `number` is the candidate number drawn by lot."""

    number: int
    title: str
    unit: str
    note: str = ""


class ListGroup(msgspec.Struct, frozen=True):
    """Projects under one heading, in the order of their places."""

    heading: str
    entries: tuple[ListEntry, ...]


class PublishedList(msgspec.Struct, frozen=True):
    """A 名单 or 公示: `introduction` and `closing` are paragraphs divided by line breaks."""

    heading: str
    document_number: str
    issuing_office: str
    issued_on: date
    introduction: str
    groups: tuple[ListGroup, ...]
    closing: str
    version_code: str


class Retraction(msgspec.Struct, frozen=True):
    """A 撤回公告 of an earlier document; `replaced_by` names what holds now, or is empty."""

    document_number: str
    issuing_office: str
    issued_on: date
    retracted_heading: str
    retracted_number: str
    retracted_issued_on: date
    reason: str
    replaced_by: str
    version_code: str


class Poster(msgspec.Struct, frozen=True):
    """A candidate's poster; `round_address` is the page of the round, which names no candidate."""

    round_title: str
    number: int
    title: str
    unit: str
    level: str
    voting_window: str
    round_address: str
    printed_on: date


class SheetCriterion(msgspec.Struct, frozen=True):
    """A criterion with its description and the anchors that say what a mark means."""

    title: str
    description: str
    anchors: tuple[str, ...]


class SheetCandidate(msgspec.Struct, frozen=True):
    """A candidate to be marked; `recused` where the expert has declared a conflict of interest (回避)."""

    number: int
    title: str
    unit: str
    recused: bool = False


class ScoreSheet(msgspec.Struct, frozen=True):
    """An expert's sheet on paper; marks go from `mark_min` to `mark_max`."""

    round_title: str
    panel: str
    expert: str
    criteria: tuple[SheetCriterion, ...]
    candidates: tuple[SheetCandidate, ...]
    printed_on: date
    version_code: str
    mark_min: int = 0
    mark_max: int = 100


class ReportFigure(msgspec.Struct, frozen=True):
    """One figure of the daily report with its unit of counting in the value, such as `1,024人`."""

    name: str
    value: str
    note: str = ""


class DailyReport(msgspec.Struct, frozen=True):
    """The 每日情况 of a round: what was done and what is due. It has no place for rankings or counts of candidates."""

    round_title: str
    issuing_office: str
    reported_on: date
    figures: tuple[ReportFigure, ...]
    events: tuple[str, ...]
    due_next: tuple[str, ...]


class ArchivedFile(msgspec.Struct, frozen=True):
    """One file of the archive; `sha256` in hexadecimal digits."""

    title: str
    responsible: str
    made_on: date
    pages: int | None
    sha256: str
    retention: str
    note: str = ""


class ArchiveIndex(msgspec.Struct, frozen=True):
    """The 卷内目录 of a round's archive."""

    round_title: str
    archive_number: str
    issuing_office: str
    made_on: date
    files: tuple[ArchivedFile, ...]
    version_code: str
