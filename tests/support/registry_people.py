"""People, units and calls for tests of the registry, made through its HTTP interface as their owners would."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from services.registry.rounds.credit_code import ALPHABET, check_character

if TYPE_CHECKING:  # the fixture's module belongs to one folder of tests
    from tests.integration.registry.conftest import Registry

FACTS = {
    "registration_number": "滇社证字第0001号",
    "registration_authority": "五华区民政局",
    "registered_on": "2015-03-01",
    "legal_representative": "李一",
    "address": "昆明市五华区人民中路1号",
    "last_inspection_year": 2019,
}
CONTACT = {"name": "王二", "email": "office@example.org"}


def credit_code(seed: int) -> str:
    """A valid unified social credit code, the same for the same seed."""
    first = "91530100" + "".join(random.Random(seed).choices(ALPHABET, k=9))
    return first + check_character(first)


def unit_body(seed: int = 1, channel: str = "wuhua", kind: str = "community", **changes: Any) -> dict[str, Any]:
    """The body of a unit's registration."""
    body = {
        "name": f"第{seed}社区居委会", "kind": kind, "credit_code": credit_code(seed), "channel": channel,
        "facts": FACTS, "contact": CONTACT,
    }  # fmt: skip
    return body | changes


async def add_channel(registry: Registry, channel: str = "wuhua", kind: str = "district") -> str:
    """A channel, made by the built-in account; harmless to repeat."""
    body = {"channel": channel, "name": f"{channel}渠道", "kind": kind}
    made = await registry.call("POST", "/channels", json=body)
    assert made.status_code in (201, 409), made.text
    return channel


async def add_officer(registry: Registry, channel: str = "wuhua", username: str = "") -> str:
    """A channel officer's username."""
    name = username or f"officer-{channel}"
    await registry.add_staff(name, "channel_officer", channel=channel)
    return name


async def add_unit(registry: Registry, seed: int = 1, channel: str = "wuhua", kind: str = "community") -> str:
    """An approved unit in a channel, which is made where it is missing; its id."""
    await add_channel(registry, channel)
    # From an address of its own: the allowance of one address is not what these tests are about.
    headers = {"x-forwarded-for": f"198.18.{seed // 250 % 250}.{seed % 250 + 1}"}
    body = unit_body(seed, channel, kind)
    made = await registry.call("POST", "/units", "", json=body, headers=headers)
    assert made.status_code == 201, made.text
    unit: str = made.json()["unit"]
    decision = {"decision": "approved", "version": made.json()["version"]}
    decided = await registry.call("POST", f"/units/{unit}/decisions", json=decision)
    assert decided.status_code == 201, decided.text
    return unit


async def add_applicant(registry: Registry, unit: str, username: str = "") -> str:
    """An applicant's username, who acts for the unit."""
    name = username or f"applicant-{unit}"
    await registry.add_staff(name, "applicant", unit=unit)
    return name
