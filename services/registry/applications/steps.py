"""The application form as steps, one section of the 申报书 at a time: which fields, what is missing where. Pure.

Called by the pages; what is missing is said by `checking.py` alone, here it only finds its step.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from services.registry.applications.checking import PROOFS, SOCIAL_ORGANISATION
from services.registry.applications.problems import Problem, Word
from services.registry.applications.records import ApplicationFile
from services.registry.attachments.records import PURPOSE_NAMES, Purpose


class Step(msgspec.Struct, frozen=True):
    """A page of the form: its word in the address, its title, and the fields on it."""

    step: str
    title: str
    fields: tuple[str, ...]


STEPS = (
    Step("project", "项目基本情况", ("title", "level", "category")),
    Step("partners", "联合申报单位", ("partners",)),
    Step("consents", "联合单位同意", ()),
    Step("need", "服务需求分析", ("sections.need_analysis",)),
    Step("plan", "工作计划", ("sections.work_plan",)),
    Step("innovation", "创新性分析", ("sections.innovation_analysis",)),
    Step("summary", "项目概要和图片", ("summary", "picture_alt")),
    Step("team", "项目团队", ("team",)),
    Step("budget", "经费预算", ("budget", "budget_total")),
    Step("targets", "绩效目标", ("targets",)),
    Step("contingencies", "突发情况预测及应对机制", ("sections.contingencies",)),
    Step("files", "证明材料", ()),
)
BY_WORD = {each.step: each for each in STEPS}
_BY_FIELD = {field: each.step for each in STEPS for field in each.fields}


class StepState(msgspec.Struct, frozen=True):
    """Where a step stands: `done`, `missing` (begun), `empty`, or `optional` (nothing is needed)."""

    step: str
    title: str
    state: str
    missing: int


def step_of(problem: Problem) -> str:
    """The word of the step on which a problem is mended."""
    if problem.word is Word.CONSENT_MISSING:
        return "consents"
    if problem.word is Word.PROOF_MISSING:
        return "files"
    return _BY_FIELD[problem.field.partition("[")[0]]


def anchor(problem: Problem) -> str:
    """The id, on its step's page, of the field that a problem is about."""
    found = anchor_of(problem.field)
    if problem.word is Word.CONSENT_MISSING:
        return found.replace("partners", "consent", 1)
    if problem.word is Word.PROOF_MISSING:
        return f"{found.replace('partners', 'proof', 1)}-{problem.facts['purpose']}"
    return found


def anchor_of(field: str) -> str:
    """`budget[2].amount` → `budget-2-amount`."""
    return field.replace("[", "-").replace("]", "").replace(".", "-")


def row_of(field: str) -> int | None:
    """Which row of its table a field stands in, counted from 1; None outside tables and for whole rows."""
    place, closed, key = field.partition("[")[2].partition("]")
    return int(place) + 1 if closed and key else None


def states(content: Mapping[str, Any], files: Collection[ApplicationFile], problems: list[Problem]) -> list[StepState]:
    """Every step with how much of it is missing."""
    missing = [step_of(each) for each in problems]
    return [
        StepState(
            each.step, each.title, _state(each, content, files, missing.count(each.step)), missing.count(each.step)
        )
        for each in STEPS
    ]


def _state(step: Step, content: Mapping[str, Any], files: Collection[ApplicationFile], missing: int) -> str:
    begun = any(value_of(content, field) for field in step.fields)
    if step.step == "consents":
        begun = bool(content.get("partners"))
    elif step.step == "files":
        begun = any(each.purpose not in (Purpose.CONSENT, Purpose.PICTURE, Purpose.STAMPED_FORM) for each in files)
    if missing:
        return "missing" if begun else "empty"
    return "done" if begun else "optional"


def value_of(content: Mapping[str, Any], field: str) -> Any:
    """What a form holds at `title` or `sections.work_plan`; None where it holds nothing."""
    found: Any = content
    for key in field.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def neighbours(step: str) -> tuple[str | None, str | None]:
    """The words of the steps before and after; None at the ends."""
    words = [each.step for each in STEPS]
    place = words.index(step)
    return words[place - 1] if place else None, words[place + 1] if place + 1 < len(words) else None


class ProofLine(msgspec.Struct, frozen=True):
    """One proof that a partner owes, with the files that were handed in for it."""

    purpose: str
    name: str
    anchor: str
    files: list[ApplicationFile]


class PartnerProofs(msgspec.Struct, frozen=True):
    """The proofs of one social organisation."""

    name: str
    credit_code: str
    lines: list[ProofLine]


def proofs(content: Mapping[str, Any], files: Iterable[ApplicationFile]) -> list[PartnerProofs]:
    """What every social organisation of the form has to prove, and has."""
    known = list(files)
    return [
        PartnerProofs(
            partner["name"],
            partner["credit_code"].strip(),
            [
                ProofLine(purpose, PURPOSE_NAMES[purpose], f"proof-{place}-{purpose}", _of(known, purpose, partner))
                for purpose in (*PROOFS, Purpose.GOOD_STANDING)
            ],
        )
        for place, partner in enumerate(content.get("partners", []))
        if partner["kind"] == SOCIAL_ORGANISATION and partner["credit_code"].strip()
    ]


def _of(files: Iterable[ApplicationFile], purpose: Purpose, partner: Mapping[str, str]) -> list[ApplicationFile]:
    code = partner["credit_code"].strip()
    return [each for each in files if each.purpose == purpose and each.credit_code == code]


def other_files(files: Iterable[ApplicationFile], owed: Iterable[PartnerProofs]) -> list[ApplicationFile]:
    """Files of no partner that stands in the form: further ones, and those of a partner that was taken out."""
    shown = {each.attachment for partner in owed for line in partner.lines for each in line.files}
    elsewhere = (Purpose.CONSENT, Purpose.PICTURE, Purpose.STAMPED_FORM)
    return [each for each in files if each.attachment not in shown and each.purpose not in elsewhere]
