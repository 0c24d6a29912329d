"""Is an application complete: every section, a budget that adds up, consents, proofs. Pure; called before submitting.

Everything is told at once, each with its place; `submit_refusal` chooses the refusal's word.
"""

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal

import msgspec

from services.registry.applications.content import Content, broken_limits
from services.registry.applications.problems import Problem, Word
from services.registry.applications.records import ApplicationFile
from services.registry.attachments.records import PURPOSE_NAMES, Purpose
from services.registry.reasons import RegistryReason
from services.registry.rounds import credit_code
from services.registry.rounds.reading import AMOUNT_MAX
from services.shared.ranking.numbers import parse_decimal

SOCIAL_ORGANISATION = "social_organisation"
# What a social organisation that takes part must hand in (DOMAIN, "Who may apply"); further proofs only where asked.
PROOFS = (
    Purpose.REGISTRATION_CERTIFICATE,
    Purpose.ANNUAL_INSPECTION,
    Purpose.FINANCIAL_STATEMENTS,
    Purpose.STAFF_CONTRACTS,
    Purpose.OFFICE_PROOF,
    Purpose.FUNDS_COMMITMENT,
)


class Surroundings(msgspec.Struct, frozen=True):
    """What is needed beside the form: the lead, who consented by link, the files, and the day it is."""

    lead_credit_code: str
    consented: frozenset[str]
    files: list[ApplicationFile]
    today: date


def amount_of(text: str) -> Decimal | None:
    """Yuan above 0 with at most two decimals, or None."""
    number = parse_decimal(text.strip())
    if number is None or number <= 0 or (number * 100).denominator != 1 or number > AMOUNT_MAX:
        return None
    return (Decimal(number.numerator) / Decimal(number.denominator)).quantize(Decimal("0.01"))


def problems_of(content: Content, around: Surroundings) -> list[Problem]:
    """Everything that stands between this form and its submission; empty where nothing does."""
    return [
        *broken_limits(content),
        *_gaps(content),
        *_partner_problems(content, around.lead_credit_code),
        *_target_problems(content, around.today),
        *_budget_problems(content),
        *_consent_problems(content, around),
        *_proof_problems(content, around.files),
        *_picture_problems(content, around.files),
    ]


def _gaps(content: Content) -> list[Problem]:
    missing: list[str] = [
        name for name in ("title", "level", "category", "summary") if not getattr(content, name).strip()
    ]
    missing += [
        f"sections.{name}" for name, text in msgspec.structs.asdict(content.sections).items() if not text.strip()
    ]
    missing += [name for name in ("team", "budget", "targets") if not getattr(content, name)]
    tables: dict[str, Sequence[msgspec.Struct]] = {
        "partners": content.partners,
        "team": content.team,
        "budget": content.budget,
        "targets": content.targets,
    }
    for name, rows in tables.items():
        for place, row in enumerate(rows):
            missing += [f"{name}[{place}].{key}" for key, value in _texts(row).items() if not value]
    if content.budget and not content.budget_total.strip():
        missing.append("budget_total")
    return [Problem(field, Word.MISSING, {}) for field in missing]


def _texts(row: msgspec.Struct) -> dict[str, str]:
    return {key: str(value or "").strip() for key, value in msgspec.structs.asdict(row).items()}


def _partner_problems(content: Content, lead: str) -> list[Problem]:
    problems, seen = [], set[str]()
    for place, partner in enumerate(content.partners):
        code, field = partner.credit_code.strip(), f"partners[{place}].credit_code"
        if not code:
            continue
        if not credit_code.is_valid(code):
            problems.append(Problem(field, Word.BAD_CREDIT_CODE, {}))
        elif code == lead:
            problems.append(Problem(field, Word.PARTNER_IS_LEAD, {}))
        elif code in seen:
            problems.append(Problem(field, Word.PARTNER_TWICE, {}))
        seen.add(code)
    return problems


def _target_problems(content: Content, today: date) -> list[Problem]:
    return [
        Problem(f"targets[{place}].due", Word.DUE_IN_THE_PAST, {})
        for place, target in enumerate(content.targets)
        if target.due is not None and target.due < today
    ]


def _budget_problems(content: Content) -> list[Problem]:
    amounts = [amount_of(line.amount) for line in content.budget]
    problems = [
        Problem(f"budget[{place}].amount", Word.BAD_AMOUNT, {})
        for place, (line, amount) in enumerate(zip(content.budget, amounts, strict=True))
        if amount is None and line.amount.strip()
    ]
    total = amount_of(content.budget_total)
    if total is None and content.budget_total.strip():
        problems.append(Problem("budget_total", Word.BAD_AMOUNT, {}))
    known = [amount for amount in amounts if amount is not None]
    if total is not None and known and len(known) == len(amounts) and sum(known) != total:
        facts = {"sum": str(sum(known, Decimal(0))), "total": str(total)}
        problems.append(Problem("budget_total", Word.BUDGET_DOES_NOT_ADD_UP, facts))
    return problems


def _consent_problems(content: Content, around: Surroundings) -> list[Problem]:
    scanned = _partners_with(around.files, Purpose.CONSENT)
    return [
        Problem(
            f"partners[{place}]",
            Word.CONSENT_MISSING,
            {"partner": partner.name.strip(), "credit_code": partner.credit_code},
        )
        for place, partner in enumerate(content.partners)
        if partner.credit_code.strip() and partner.credit_code.strip() not in around.consented | scanned
    ]


def _partners_with(files: Collection[ApplicationFile], purpose: Purpose) -> frozenset[str]:
    return frozenset(each.credit_code for each in files if each.purpose == purpose)


def _proof_problems(content: Content, files: Collection[ApplicationFile]) -> list[Problem]:
    return [
        Problem(
            f"partners[{place}]",
            Word.PROOF_MISSING,
            {
                "partner": partner.name.strip(),
                "credit_code": partner.credit_code,
                "purpose": str(proof),
                "proof": PURPOSE_NAMES[proof],
            },
        )
        for place, partner in enumerate(content.partners)
        if partner.kind == SOCIAL_ORGANISATION
        for proof in PROOFS
        if partner.credit_code.strip() not in _partners_with(files, proof)
    ]


def _picture_problems(content: Content, files: Collection[ApplicationFile]) -> list[Problem]:
    has_picture = any(each.purpose == Purpose.PICTURE for each in files)
    return (
        [Problem("picture_alt", Word.PICTURE_ALT_MISSING, {})]
        if has_picture and not content.picture_alt.strip()
        else []
    )


def submit_refusal(problems: Collection[Problem]) -> tuple[RegistryReason, str]:
    """The word and sentence that a submission with these problems is refused with; there is at least one."""
    words = {each.word for each in problems}
    special = {Word.BUDGET_DOES_NOT_ADD_UP, Word.CONSENT_MISSING, Word.PROOF_MISSING}
    if words - special:
        places = ", ".join(sorted({each.field for each in problems if each.word not in special})[:10])
        return RegistryReason.APPLICATION_INCOMPLETE, f"Something is missing or wrong at: {places}; see `problems`."
    if Word.BUDGET_DOES_NOT_ADD_UP in words:
        facts = next(each.facts for each in problems if each.word is Word.BUDGET_DOES_NOT_ADD_UP)
        return (
            RegistryReason.BUDGET_DOES_NOT_ADD_UP,
            f"The budget's lines add up to {facts['sum']}, its total says {facts['total']}; make them agree.",
        )
    if Word.CONSENT_MISSING in words:
        names = _partners_named(problems, Word.CONSENT_MISSING)
        return (
            RegistryReason.CONSENT_MISSING,
            f"Not every partner has consented: {names}; send the link or a stamped scan.",
        )
    names = _partners_named(problems, Word.PROOF_MISSING)
    wanted = ", ".join(
        dict.fromkeys(str(each.facts["purpose"]) for each in problems if each.word is Word.PROOF_MISSING)
    )
    return RegistryReason.PROOFS_MISSING, f"Proofs of {names} are missing: {wanted}; attach them."


def _partners_named(problems: Collection[Problem], word: Word) -> str:
    return ", ".join(dict.fromkeys(str(each.facts["partner"]) for each in problems if each.word is word))
