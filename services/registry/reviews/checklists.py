"""The checklist of the preliminary review, from "Who may apply" (申报主体) and the parts of the form. Pure.

Each item is met, not met, or does not apply; two reviewers fill one each, and agree where verdict and reason do.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal

COMMENT_MAX = 2000


class Answer(StrEnum):
    """What a reviewer says of an item."""

    MET = "met"
    NOT_MET = "not_met"
    NOT_APPLICABLE = "not_applicable"


class Outcome(StrEnum):
    """What becomes of an application in review."""

    ACCEPTED = "accepted"
    NOT_ACCEPTED = "not_accepted"


class RejectionReason(StrEnum):
    """The three reasons of the notice for not accepting (不予受理)."""

    NOT_CONFORMING = "not_conforming"
    UNTRUE = "untrue"
    DISPUTED = "disputed"


OUTCOME_NAMES = {Outcome.ACCEPTED: "予以受理", Outcome.NOT_ACCEPTED: "不予受理"}
REASON_NAMES = {
    RejectionReason.NOT_CONFORMING: "不符合申报条件",
    RejectionReason.UNTRUE: "申报内容不真实",
    RejectionReason.DISPUTED: "存在争议",
}
ITEMS = {
    "stands_in_kunming": "立足昆明、服务昆明",
    "legally_registered": "申报单位依法登记或备案",
    "annual_inspection": "上年度年检合格（适用时）",
    "sound_finances": "财务管理规范",
    "no_bad_credit": "无不良信用记录",
    "lead_is_eligible": "牵头单位属于可牵头的单位性质",
    "partners_join_a_lead": "高校、科研机构、社会组织均与牵头单位联合申报",
    "one_matter_one_form": "一事一例",
    "form_complete": "申报书各部分齐全",
    "budget_reasonable": "预算逐项列明、测算有据",
    "targets_checkable": "绩效目标可对照验收",
    "proofs_complete": "社会组织六项证明材料齐全（适用时）",
    "stamped_scan": "盖章扫描件与提交版本一致",
    "content_true": "申报内容真实",
    "no_dispute": "权属、合作等方面无争议",
}
# What depends on who applies may not apply; everything else is answered with met or not met.
MAY_NOT_APPLY = frozenset({"annual_inspection", "partners_join_a_lead", "proofs_complete", "stamped_scan"})


class Checklist(msgspec.Struct, frozen=True):
    """One reviewer's filled checklist; `reason` and `comment` say why where the verdict is not to accept."""

    reviewer: str
    items: dict[str, str]
    verdict: str
    reason: str
    comment: str


def checked(items: Mapping[str, str], verdict: str, reason: str, comment: str, reviewer: str) -> Checklist:
    """The checklist as it is to be stored; raises Refusal `bad_review` saying what is wrong."""
    if mistake := _mistake(items, verdict, reason, comment):
        raise Refusal(RegistryReason.BAD_REVIEW, mistake)
    return Checklist(reviewer, dict(items), verdict, reason, comment.strip())


def _mistake(items: Mapping[str, str], verdict: str, reason: str, comment: str) -> str:
    if missing := sorted(ITEMS.keys() - items.keys()):
        return f"Items are not answered: {', '.join(missing)}; answer each of them."
    if unknown := sorted(items.keys() - ITEMS.keys()):
        return f"Item {unknown[0][:40]!r} is unknown; use: {', '.join(ITEMS)}."
    for item, answer in items.items():
        allowed = list(Answer) if item in MAY_NOT_APPLY else [Answer.MET, Answer.NOT_MET]
        if answer not in allowed:
            return f"{item} must be one of: {', '.join(allowed)}."
    if problem := outcome_mistake(verdict, reason, comment):
        return problem
    if verdict == Outcome.ACCEPTED and Answer.NOT_MET in items.values():
        return "An item is not met; that is not accepted, or a matter for completion (补正)."
    return ""


def outcome_mistake(outcome: str, reason: str, text: str) -> str:
    """Not accepted only with one of the three reasons and a text; accepted without a reason."""
    if outcome not in set(Outcome):
        return f"The outcome must be one of: {', '.join(Outcome)}."
    if len(text) > COMMENT_MAX:
        return f"The text may have {COMMENT_MAX} characters; shorten it."
    if outcome == Outcome.ACCEPTED:
        return "" if not reason else "Accepted has no reason; leave it out."
    if reason not in set(RejectionReason):
        return f"Not accepted needs one of the reasons: {', '.join(RejectionReason)}."
    return "" if text.strip() else "Not accepted needs a text that the applicant can answer."


def agree(checklists: list[Checklist]) -> bool:
    """Whether two checklists are in and say the same."""
    return len(checklists) == 2 and len({(each.verdict, each.reason) for each in checklists}) == 1
