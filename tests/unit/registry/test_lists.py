"""Lists and objection windows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.registry.lists.lists import entries_of, objection_window
from services.shared.ranking.errors import InputError

RANKING = (
    "group,place,candidate,total,vote_points,expert_points,tie_break,outcome\n"
    "level=key,1,k2,9.50,9,9,votes,selected\nlevel=key,2,k1,9.50,9,9,,reserve\nlevel=key,3,k3,1.00,1,1,,\n"
)


def test_a_list_is_who_is_selected_and_who_waits() -> None:
    entries = entries_of(RANKING, selects=True)
    assert [(each.candidate, each.place, each.outcome) for each in entries] == [
        ("k2", 1, "selected"),
        ("k1", 2, "reserve"),
    ]


def test_where_the_rules_select_nobody_the_list_is_the_ranking() -> None:
    assert [each.candidate for each in entries_of(RANKING, selects=False)] == ["k2", "k1", "k3"]


def test_what_is_no_ranking_is_refused() -> None:
    with pytest.raises(InputError):
        entries_of("a,b\n1,2\n", selects=True)


@pytest.mark.parametrize(
    ("published", "closes"),
    [
        # Wednesday before National Day: 10-09, Saturday 10-10 (worked), 10-12, 10-13, 10-14.
        ("2020-09-30T04:00:00+00:00", "2020-10-15T00:00:00+08:00"),
        # Monday: Tuesday to Friday, then Monday.
        ("2020-11-02T04:00:00+00:00", "2020-11-10T00:00:00+08:00"),
        # Late on Sunday in London is Monday in Kunming.
        ("2020-11-01T17:00:00+00:00", "2020-11-10T00:00:00+08:00"),
    ],
)
def test_five_working_days_from_the_day_after_publication(published: str, closes: str) -> None:
    window = objection_window(datetime.fromisoformat(published), 5, "Asia/Shanghai")
    assert window.closes_at == datetime.fromisoformat(closes)
    assert (window.opens_at.hour, window.provisional) == (0, False)


def test_a_year_without_official_calendar_is_provisional() -> None:
    assert objection_window(datetime(2090, 5, 5, tzinfo=UTC), 5, "Asia/Shanghai").provisional
