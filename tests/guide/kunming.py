"""The Kunming round's own texts, from deploy/rounds/kunming-2021, as offices and units type them in. Pure."""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

ROUND = "kunming-2021"
FOLDER = Path(__file__).parents[2] / "deploy" / "rounds" / ROUND


def call_files() -> dict[str, str]:
    """The announcement's files.

    The rule about outages is left out: the town's clock jumps, and minutes of which nothing is known would be one.
    """
    names = ("rules.toml", "channels.toml", "criteria.toml", "experts.toml")
    files = {name: (FOLDER / name).read_text("utf-8") for name in names}
    files["rules.toml"] = re.sub(r"\[outage\]\n(?:\w.*\n)+\n", "", files["rules.toml"])
    return files


@cache
def application(name: str) -> dict[str, Any]:
    """K01 … K52 as they stand in the folder."""
    return tomllib.loads((FOLDER / "applications" / f"{name}.toml").read_text("utf-8"))


def registration(name: str) -> dict[str, Any]:
    """How the lead of an application registers as a unit."""
    told = application(name)
    facts = {
        "registration_number": f"滇统字第{name}号", "registration_authority": "昆明市有关部门",
        "registered_on": "2003-05-01", "legal_representative": "李一", "address": "昆明市人民中路1号",
        "last_inspection_year": 2019,
    }  # fmt: skip
    contact = {"name": "王二", "email": "office@example.org"}
    return {**told["lead"], "channel": told["channel"], "facts": facts, "contact": contact}


def form(name: str) -> dict[str, Any]:
    """The application form (申报书) with all its sections."""
    told = application(name)
    budget = [{key: line[key] for key in ("line", "amount", "basis")} for line in told["budget"]]
    return {
        **{key: told[key] for key in ("title", "level", "category", "summary", "sections", "team")},
        "partners": told.get("partners", []),
        "budget": budget,
        "budget_total": str(sum(Decimal(line["amount"]) for line in budget)),
        "targets": [{**target, "due": target["due"].isoformat()} for target in told["targets"]],
    }


def pdf(text: str) -> bytes:
    """A small PDF; another text makes another file."""
    return f"%PDF-1.4\n% {text}\n1 0 obj<</Type/Catalog>>endobj\nstartxref\n0\n%%EOF\n".encode()
