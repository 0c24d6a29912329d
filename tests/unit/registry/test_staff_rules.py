"""Pure rules of accounts, cookies, damping and access."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import pytest

from services.registry.rounds.access import may_read_whole
from services.registry.staff.accounts import NewStaff, checked
from services.registry.staff.attempt_store import pause_s
from services.registry.staff.cookies import home_of, safe_next
from services.registry.staff.passwords import Passwords, generate, weakness
from services.shared.errors import Refusal
from services.shared.messages import CandidateCard
from services.shared.staff import Staff

CARD = CandidateCard("K01", 1, "项目", "单位", "wuhua", "other", "key")


def person(*roles: str, username: str = "wang", channel: str = "") -> Staff:
    return Staff(username, username, "王", frozenset(roles), "", channel)


@pytest.mark.parametrize("path", ["/admin", "/expert/rounds/a?x=1", "/"])
def test_paths_of_ours_may_follow_a_sign_in(path: str) -> None:
    assert safe_next(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "admin",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/a\r\nset-cookie: x",
        "/项目",
        "/sign-out",
        "/" + "a" * 600,
    ],
)
def test_anything_else_may_not(path: str) -> None:
    assert safe_next(path) == ""


def test_each_role_begins_its_day_on_its_own_page() -> None:
    assert [home_of(roles) for roles in (["expert"], ["administrator"], ["operator"], ["helper"])] == [
        "/expert", "/admin", "/admin", "/stations",
    ]  # fmt: skip


def test_pauses_double_and_stay_short() -> None:
    assert [pause_s(failures, 5, 30.0) for failures in (0, 4, 5, 6, 9, 10, 1000)] == [0, 0, 1, 2, 16, 30, 30]


def test_generated_passwords_are_long_and_different() -> None:
    made = {generate() for _ in range(50)}
    assert len(made) == 50
    assert all(len(each) == 23 and not weakness(each, "wang") for each in made)


@pytest.mark.parametrize("password", ["short", "x" * 201, "Username1"])
def test_weak_passwords_are_refused(password: str) -> None:
    assert weakness(password, "username1")


def test_roles_above_ones_own_cannot_be_given() -> None:
    wanted = NewStaff("puppet", ["administrator"])
    with pytest.raises(Refusal, match="forbidden"):
        checked(wanted, person("administrator"))
    assert checked(wanted, person("security_administrator")).roles == ["administrator"]


@pytest.mark.parametrize(
    ("staff", "may"),
    [
        (None, False),
        (person("administrator"), True),
        (person("reviewer"), True),
        (person("operator"), False),
        (person("expert"), True),
        (person("expert", username="other"), False),
        (person("channel_officer", channel="wuhua"), True),
        (person("channel_officer", channel="panlong"), False),
        (person("channel_officer"), False),
    ],
)
def test_who_reads_a_whole_application(staff: Staff | None, may: bool) -> None:
    assert may_read_whole(staff, ["wang"], CARD) is may


async def test_an_unknown_account_costs_the_same_work_as_a_wrong_password() -> None:
    class Counting(Passwords):
        checked: ClassVar[list[str]] = []

        def _verify(self, password_hash: str, password: str) -> bool:
            self.checked.append(password_hash)
            return super()._verify(password_hash, password)

    passwords = Counting(1, 4)
    known = await passwords.hash("the right one")
    assert await passwords.matches(known, "the right one")
    assert not await passwords.matches(known, "another")
    assert not await passwords.matches(None, "another")
    assert [each.split("$")[:4] for each in passwords.checked] == [known.split("$")[:4]] * 3


async def test_whoever_finds_the_line_full_is_told_to_come_back() -> None:
    passwords = Passwords(1, 2)
    answers = await asyncio.gather(*(passwords.matches(None, "x") for _ in range(5)), return_exceptions=True)
    refused = [each for each in answers if isinstance(each, Refusal)]
    assert [each.reason.value for each in refused] == ["unavailable"] * 3
    assert not await passwords.matches(None, "x")
