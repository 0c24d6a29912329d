"""The editor of calls: fields of the form are fields of the file, differences say what changed. Pure."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from services.registry.calls import form_fields, starting
from services.registry.calls.differences import difference, differences
from services.registry.calls.drafts import read_call
from services.registry.calls.editing import edited, fields_of
from services.registry.calls.previews import fields_by_line, with_offsets
from services.registry.rehearsals.making import made_up, rehearsal_id
from services.shared.ranking.candidates import parse_candidates
from services.shared.ranking.rules import parse_rules

ZONE = ZoneInfo("Asia/Shanghai")


def test_the_rules_a_first_call_begins_with_hold_together() -> None:
    draft, problems = read_call(starting.FILES)
    assert problems == []
    assert draft is not None


@pytest.mark.parametrize("section", [each for each in form_fields.SECTIONS if not each.rows], ids=lambda each: each.key)
def test_every_field_of_the_form_is_one_of_the_rules(section: form_fields.Section) -> None:
    """A field that the rules do not know, or a choice they refuse, would be a trap in the form."""
    values = {
        "number": 3, "decimal": "0.5", "text": "Asia/Shanghai", "words": [],
        "moment": "2027-01-01T09:00:00+08:00",
    }  # fmt: skip
    text = starting.RULES
    for field in section.fields:
        for word, _ in field.choices or ((values.get(field.kind), ""),):
            fields: dict[str, object] = {}
            inside = fields
            *path, last = field.path.split(".")
            for key in path:
                inside = inside.setdefault(key, {})  # type: ignore[assignment]
            inside[last] = word
            if field.kind == "moment":
                inside["closes" if last == "opens" else "opens"] = f"202{8 if last == 'opens' else 6}-01-01T09:00:00Z"
            if word == "rank_points":
                inside["points"] = [3, 2, 1]
            more = {"panel_min": 9} if section.key == "experts" and last.startswith("trim") else {}
            parse_rules(edited(text, {**fields, **({"experts": {**inside, **more}} if more else {})}).encode())


def test_a_line_of_a_mistake_leads_to_its_field() -> None:
    text = starting.RULES.replace('weight = "0.2"', 'weight = "much"', 1)
    line = text.split("\n").index('weight = "much"') + 1
    assert fields_by_line(text)[line] == "criteria.0.weight"


def test_moments_without_offset_are_the_calls_own() -> None:
    fields = {
        "windows": {"voting": {"opens": "2027-05-01T09:00", "closes": "2027-05-02T09:00Z"}},
        "round": {"title": "x"},
    }
    found = with_offsets(fields, ZONE)["windows"]["voting"]
    assert found == {"opens": "2027-05-01T09:00:00+08:00", "closes": "2027-05-02T09:00Z"}
    text = edited(starting.RULES, with_offsets(fields, ZONE))
    assert form_fields.value_at(fields_of(text), "windows.voting.opens", ZONE) == "2027-05-01T09:00"


def test_a_difference_shows_what_changed_with_its_surroundings() -> None:
    before = "\n".join(f"line {k}" for k in range(20))
    lines = difference(before, before.replace("line 10", "line ten"))
    assert [(each.kind.value, each.text) for each in lines if each.kind != "same"] == [
        ("gap", ""), ("removed", "line 10"), ("added", "line ten"),
    ]  # fmt: skip
    assert difference(before, before) == []
    assert list(differences({"a": "1", "b": "2"}, {"b": "2", "c": "3"})) == ["a", "c"]


def test_made_up_candidates_fill_a_ballot() -> None:
    rules = parse_rules(starting.RULES.encode())
    text = made_up(rules, ["wuhua", "city", "guandu"])
    candidates = parse_candidates(text.encode(), "candidates.csv")
    assert len(candidates) >= 2 * rules.ballot.choices_max
    pairs = {(each.level, each.channel) for each in candidates}
    assert len(pairs) == 9
    assert len(rehearsal_id("x" * 64, 12)) == 64
