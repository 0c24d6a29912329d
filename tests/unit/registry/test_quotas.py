"""Quotas: the channel's for districts and zones, the unit's where units apply directly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.registry.calls.quotas import Entry, Exemption, direct_choice, excess, misplaced

NOW = datetime(2020, 10, 9, tzinfo=UTC)


def entry(name: str, unit: str = "u1", minute: int = 0) -> Entry:
    return Entry(name, unit, f"单位{unit}", "题目", "key", "culture", "submitted", NOW + timedelta(minutes=minute))


def exemption(unit: str | None = None, confirmed: bool = True) -> Exemption:
    return Exemption("e", "c", "h", unit, 1, "试点", "a", NOW, "b" if confirmed else None, NOW if confirmed else None)


def test_a_channel_has_its_places_and_what_is_exempted_by_two() -> None:
    ranked = [entry(f"a{k}") for k in range(4)]
    assert excess("district", 4, [], ranked) == ""
    assert "3 places" in excess("district", 3, [], ranked)
    assert excess("district", 3, [exemption()], ranked) == ""
    assert excess("district", 3, [exemption(confirmed=False)], ranked) != ""
    assert excess("district", None, [], ranked) == ""


def test_a_municipal_unit_has_its_own() -> None:
    assert excess("municipal_unit", 1, [], [entry("a", "u1"), entry("b", "u2")]) == ""
    assert "单位u1" in excess("municipal_unit", 1, [], [entry("a", "u1"), entry("b", "u1")])
    assert excess("municipal_unit", 1, [exemption("u1")], [entry("a", "u1"), entry("b", "u1")]) == ""
    assert excess("municipal_unit", 1, [exemption("u2")], [entry("a", "u1"), entry("b", "u1")]) != ""


def test_without_an_officer_the_first_of_each_unit_goes_on() -> None:
    entries = [entry("late", "u1", 5), entry("first", "u1", 1), entry("other", "u2", 9)]
    assert direct_choice(1, [], entries) == (["first", "other"], {"late": "over_quota"})
    assert direct_choice(None, [], entries)[0] == ["first", "late", "other"]


def test_every_application_is_named_once_and_not_recommended_with_a_reason() -> None:
    entries = {name: entry(name) for name in ("a", "b")}
    assert misplaced(entries, ["a"], {"b": "相近"}, 10) == ""
    assert "twice" in misplaced(entries, ["a", "a"], {}, 10)
    assert "choose one" in misplaced(entries, ["a"], {"a": "x"}, 10)
    assert "no submitted application" in misplaced(entries, ["z"], {}, 10)
    assert "Say in 1 to 10" in misplaced(entries, [], {"b": " "}, 10)
