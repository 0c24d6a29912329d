"""One application (申报书) from its TOML file: strictly typed, every section present, credit codes checked.

Pure: text in, value and problems out. Called by `files.py` when a round is loaded.
"""

from datetime import date
from decimal import Decimal

import msgspec

from services.registry.rounds import credit_code
from services.registry.rounds.reading import Problem, Reader
from services.shared.ranking.csv_files import is_identifier
from services.shared.ranking.errors import shown
from services.shared.vocabulary import CATEGORIES, LEAD_KINDS, LEVELS, PARTNER_KINDS, SECTIONS

TITLE_MAX = 200
SUMMARY_MAX = 500
SECTION_MAX = 10_000
NAME_MAX = 200
PARTNERS_MAX = 20
TEAM_MAX = 100
BUDGET_LINES_MAX = 100
TARGETS_MAX = 50


class Unit(msgspec.Struct, frozen=True):
    """A lead or partner: registered name, kind, and unified social credit code."""

    name: str
    kind: str
    credit_code: str


class TeamMember(msgspec.Struct, frozen=True):
    name: str
    role: str


class BudgetLine(msgspec.Struct, frozen=True):
    """One line of the budget; `amount` in yuan."""

    line: str
    amount: Decimal
    basis: str


class Target(msgspec.Struct, frozen=True):
    """What acceptance will check: the target, how it is measured, and by when."""

    target: str
    measure: str
    due: date | None


class Application(msgspec.Struct, frozen=True):
    """A whole application; `channel` is the channel that recommended it."""

    candidate: str
    title: str
    level: str
    category: str
    channel: str
    summary: str
    lead: Unit
    partners: list[Unit]
    sections: dict[str, str]
    team: list[TeamMember]
    budget: list[BudgetLine]
    targets: list[Target]

    @property
    def budget_total(self) -> Decimal:
        return sum((line.amount for line in self.budget), Decimal(0))


def parse_application(text: str, file: str, problems: list[Problem]) -> Application | None:
    """The application in a file; mistakes are appended to `problems`, None where the file is no TOML."""
    root = Reader.of(text, file, problems)
    if root is None:
        return None
    root.only(
        "candidate", "title", "level", "category", "channel", "summary",
        "lead", "partners", "sections", "team", "budget", "targets",
    )  # fmt: skip
    lead = root.table("lead")
    return Application(
        candidate=_identifier(root),
        title=root.text("title", TITLE_MAX),
        level=root.word("level", LEVELS),
        category=root.word("category", CATEGORIES),
        channel=root.text("channel", NAME_MAX),
        summary=root.text("summary", SUMMARY_MAX, lines=True),
        lead=_unit(lead, LEAD_KINDS) if lead else Unit("", "", ""),
        partners=[_unit(each, PARTNER_KINDS) for each in root.tables("partners", 0, PARTNERS_MAX)],
        sections=_sections(root),
        team=[_member(each) for each in root.tables("team", 1, TEAM_MAX)],
        budget=[_budget_line(each) for each in root.tables("budget", 1, BUDGET_LINES_MAX)],
        targets=[_target(each) for each in root.tables("targets", 1, TARGETS_MAX)],
    )


def _identifier(root: Reader) -> str:
    candidate = root.text("candidate", NAME_MAX)
    if candidate and not is_identifier(candidate):
        root.blame("candidate", f"candidate {shown(candidate)} must be 1 to 64 characters without spaces and commas")
    return candidate


def _unit(table: Reader, kinds: dict[str, str]) -> Unit:
    table.only("name", "kind", "credit_code")
    code = table.text("credit_code", NAME_MAX)
    if code and not credit_code.is_valid(code):
        table.blame(
            "credit_code", f"credit_code {shown(code)} fails the check of GB 32100; compare it with the licence"
        )
    return Unit(table.text("name", NAME_MAX), table.word("kind", kinds), code)


def _sections(root: Reader) -> dict[str, str]:
    table = root.table("sections")
    if table is None:
        return {}
    table.only(*SECTIONS)
    return {section: table.text(section, SECTION_MAX, lines=True) for section in SECTIONS}


def _member(table: Reader) -> TeamMember:
    table.only("name", "role")
    return TeamMember(table.text("name", NAME_MAX), table.text("role", NAME_MAX))


def _budget_line(table: Reader) -> BudgetLine:
    table.only("line", "amount", "basis")
    return BudgetLine(table.text("line", NAME_MAX), table.amount("amount"), table.text("basis", NAME_MAX))


def _target(table: Reader) -> Target:
    table.only("target", "measure", "due")
    return Target(table.text("target", NAME_MAX), table.text("measure", NAME_MAX), table.day("due"))
