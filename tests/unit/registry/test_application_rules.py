"""Pure rules of applications: half-open windows, amounts, partial saves, version codes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from services.registry.applications.checking import amount_of
from services.registry.applications.content import CHOICES, FIELD_TITLES, TEXT_MAX, Content, WrongContent, merged
from services.registry.applications.problems import Word, sentences
from services.registry.applications.rules import require_window
from services.registry.applications.stages import STAGE_NAMES, Stage
from services.registry.applications.store import Call
from services.shared.errors import Refusal

OPENS = datetime(2020, 9, 8, tzinfo=UTC)
CLOSES = datetime(2020, 10, 1, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def outcome(now: datetime, state: str = "announced") -> str:
    try:
        require_window(Call("c", "", state, OPENS, CLOSES), now)
    except Refusal as refusal:
        return refusal.reason.value
    return "open"


@pytest.mark.parametrize(
    ("now", "state", "expected"),
    [
        (OPENS - MOMENT, "announced", "not_open"),
        (OPENS, "announced", "open"),
        (CLOSES - MOMENT, "announced", "open"),
        (CLOSES, "announced", "deadline_passed"),
        (OPENS, "frozen", "deadline_passed"),
        (OPENS, "withdrawn", "not_open"),
        (OPENS, "draft", "not_open"),
    ],
)
def test_the_window_is_half_open(now: datetime, state: str, expected: str) -> None:
    assert outcome(now, state) == expected


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("12000", Decimal("12000.00")),
        (" 0.01 ", Decimal("0.01")),
        ("12.5", Decimal("12.50")),
        ("1000000000", Decimal("1000000000.00")),
        ("1000000000.01", None),
        ("0", None),
        ("-1", None),
        ("1.005", None),
        ("1,000", None),
        ("1e3", None),
        ("NaN", None),
        ("", None),
    ],
)
def test_amounts_are_yuan_with_two_decimals(text: str, amount: Decimal | None) -> None:
    assert amount_of(text) == amount


def test_what_an_autosave_leaves_out_stays() -> None:
    first = msgspec.to_builtins(merged({}, {"title": "甲", "sections": {"work_plan": "乙"}, "team": [{"name": "丙"}]}))
    second = merged(first, {"summary": "丁", "sections": {"contingencies": "戊"}, "team": []})
    assert (second.title, second.summary, second.team) == ("甲", "丁", [])
    assert (second.sections.work_plan, second.sections.contingencies) == ("乙", "戊")


@pytest.mark.parametrize(
    "given", [{"sections": "x"}, {"lead": {}}, {"targets": [{"due": "soon"}]}, {"sections": {"x": ""}}]
)
def test_what_is_no_form_is_told_with_its_place(given: dict[str, object]) -> None:
    with pytest.raises(WrongContent):
        merged({}, given)


def test_every_field_has_a_title_and_every_text_a_limit() -> None:
    fields = set()
    for field in msgspec.structs.fields(Content):
        fields.add(field.name)
        inner = getattr(field.type, "__args__", [field.type])[0]
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            fields |= {f"{field.name}.{each.name}" for each in msgspec.structs.fields(inner)}
    fields.remove("sections")
    assert fields == set(FIELD_TITLES)
    assert {field for field in fields if field not in TEXT_MAX and field not in CHOICES} == {
        "partners", "team", "budget", "targets", "targets.due",
    }  # fmt: skip


def test_closed_lists_are_spoken_for() -> None:
    assert set(sentences(str)) == set(Word)
    assert set(STAGE_NAMES) == set(Stage)
