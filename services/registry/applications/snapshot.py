"""What is kept of a submission: canonical JSON of form, unit, consents and files, and its version code. Pure.

Invariant: the same content gives the same bytes, so that a scan stamped before a reopening without changes still fits.
"""

import hashlib
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from services.registry.applications.checking import amount_of
from services.registry.applications.content import Content, trimmed
from services.registry.applications.records import Application, ApplicationFile, Consent, Version
from services.registry.attachments.records import Purpose
from services.registry.documents import forms
from services.registry.rounds.applications import BudgetLine, Target, TeamMember, Unit
from services.shared.clock import day_in
from services.shared.typesetting.version_code import version_code

_ENCODER = msgspec.json.Encoder(order="deterministic")


def snapshot(
    application: Application, content: Content, consents: Iterable[Consent], files: Iterable[ApplicationFile]
) -> dict[str, Any]:
    """A complete form as JSON values, texts trimmed and amounts with two decimals."""
    values: dict[str, Any] = _trimmed(msgspec.to_builtins(content))
    for line, row in zip(content.budget, values["budget"], strict=True):
        row["amount"] = str(amount_of(line.amount))
    values["budget_total"] = str(sum((Decimal(row["amount"]) for row in values["budget"]), Decimal("0.00")))
    standing = [each for each in files if each.purpose != Purpose.STAMPED_FORM]
    return {
        **values,
        "application": application.application,
        "call": application.call,
        "unit": application.unit,
        "channel": application.channel,
        "channel_name": application.channel_name,
        "lead": {
            "name": application.unit_name,
            "kind": application.unit_kind,
            "credit_code": application.unit_credit_code,
        },
        "consents": _consents(content, consents, standing, application.timezone),
        "files": [
            {
                "purpose": each.purpose,
                "credit_code": each.credit_code,
                "sha256": each.sha256,
                "file_name": each.file_name,
            }
            for each in sorted(standing, key=lambda each: (each.purpose, each.credit_code, each.sha256, each.file_name))
        ],
    }


def _trimmed(value: Any) -> Any:
    if isinstance(value, str):
        return trimmed(value)
    if isinstance(value, list):
        return [_trimmed(each) for each in value]
    if isinstance(value, dict):
        return {key: _trimmed(each) for key, each in value.items()}
    return value


def _consents(
    content: Content, consents: Iterable[Consent], files: Iterable[ApplicationFile], timezone: str
) -> list[dict[str, Any]]:
    """How each partner consented: by link, or by a stamped scan among the files."""
    by_link = {each.credit_code: each for each in consents if each.answer == "given" and each.answered_at}
    by_scan = {each.credit_code: each for each in files if each.purpose == Purpose.CONSENT}
    told = []
    for partner in content.partners:
        code = trimmed(partner.credit_code)
        given, scan = by_link.get(code), by_scan.get(code)
        at = given.answered_at if given else scan.uploaded_at if scan else None
        told.append(
            {
                "credit_code": code,
                "how": "link" if given else "scan",
                "given_on": _day(at, timezone),
                "given_by": f"{given.position or ''} {given.name or ''}".strip() if given else "",
            }
        )
    return told


def _day(at: datetime | None, timezone: str) -> str | None:
    return day_in(at, timezone).isoformat() if at else None


def canonical(content: dict[str, Any]) -> str:
    """The JSON whose bytes are hashed: keys sorted, no spaces, UTF-8."""
    return _ENCODER.encode(content).decode()


def version_of(
    application: Application, number: int, content: dict[str, Any], submitted_by: str, now: datetime
) -> Version:
    """The version that a submission makes, numbered after the ones before it."""
    text = canonical(content).encode()
    digest = hashlib.sha256(text).hexdigest()
    return Version(application.application, number, digest, version_code(text), now, submitted_by, content)


def printable(application: Application, version: Version) -> forms.ApplicationForm:
    """What the printers need of a version that was handed in."""
    content = version.content
    names = {partner["credit_code"]: partner["name"] for partner in content["partners"]}
    sections = content["sections"]
    return forms.ApplicationForm(
        round_title=application.call_title,
        application=application.application,
        title=content["title"],
        level=content["level"],
        category=content["category"],
        channel_name=content["channel_name"],
        lead=Unit(**content["lead"]),
        partners=tuple(Unit(**partner) for partner in content["partners"]),
        filled_on=day_in(version.submitted_at, application.timezone),
        need_analysis=sections["need_analysis"],
        work_plan=sections["work_plan"],
        innovation_analysis=sections["innovation_analysis"],
        contingencies=sections["contingencies"],
        summary=content["summary"],
        team=tuple(TeamMember(**member) for member in content["team"]),
        budget=tuple(BudgetLine(row["line"], Decimal(row["amount"]), row["basis"]) for row in content["budget"]),
        targets=tuple(
            Target(row["target"], row["measure"], date.fromisoformat(row["due"])) for row in content["targets"]
        ),
        consents=tuple(
            forms.Consent(
                names[each["credit_code"]],
                date.fromisoformat(each["given_on"]) if each["given_on"] else None,
                each["given_by"],
            )
            for each in content["consents"]
        ),
        version_code=version.version_code,
    )
