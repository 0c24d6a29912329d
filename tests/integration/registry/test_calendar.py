"""The official calendar: published, provisional, uploaded by the office; due dates follow it at once."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.registry.calendar import store
from tests.integration.registry.conftest import Registry

YEAR_2099 = {
    "version": 0,
    "document": "国办发明电〔2098〕1号",
    "days_off": ["2099-10-01"],
    "days_worked": ["2099-10-10"],
}


async def test_five_working_days_after_the_notices_deadline(registry: Registry) -> None:
    """2020: the holiday lasts to 10-08, Saturday 10-10 is worked."""
    assert await store.working_day_after(registry.parts.pool, date(2020, 9, 30), 5) == (date(2020, 10, 14), False)
    year = (await registry.call("GET", "/calendar/2020", "")).json()
    assert (year["source"], year["provisional"]) == ("published", False)
    assert "2020-10-10" in year["days_worked"]


async def test_a_year_nobody_published_is_provisional_until_the_office_uploads_it(registry: Registry) -> None:
    pool = registry.parts.pool
    assert await store.working_day_after(pool, date(2099, 9, 30), 7) == (date(2099, 10, 9), True)
    uploaded = await registry.call("PUT", "/calendar/2099", json=YEAR_2099)
    assert uploaded.status_code == 200, uploaded.text
    assert uploaded.json() == {
        "year": 2099, "source": "uploaded", "provisional": False,
        **YEAR_2099, "version": 1,
    }  # fmt: skip
    assert await store.working_day_after(pool, date(2099, 9, 30), 7) == (date(2099, 10, 10), False)


async def test_a_year_is_uploaded_anew_as_the_next_version_and_the_older_one_stays(registry: Registry) -> None:
    await registry.call("PUT", "/calendar/2099", json=YEAR_2099)
    stale = await registry.call("PUT", "/calendar/2099", json=YEAR_2099)
    assert (stale.status_code, stale.json()["reason"], stale.json()["version"]) == (409, "stale_version", 1)
    second = await registry.call("PUT", "/calendar/2099", json={**YEAR_2099, "version": 1, "days_off": []})
    assert (second.json()["version"], second.json()["days_off"]) == (2, [])
    assert await registry.parts.pool.fetchval("SELECT count(*) FROM calendar_years") == 2
    with pytest.raises(Exception, match=r"permission denied|append-only"):
        await registry.parts.pool.execute("DELETE FROM calendar_years")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"document": " "}, "document is missing"),
        ({"days_off": ["2098-10-01"]}, "does not lie in 2099"),
        ({"days_off": ["2099-10-10"]}, "is a weekend day"),
        ({"days_worked": ["2099-10-01"]}, "is a weekday"),
        ({"days_off": ["2099-10-01", "2099-10-01"]}, "names a day twice"),
    ],
)
async def test_a_calendar_with_mistakes_is_refused(registry: Registry, change: dict[str, Any], says: str) -> None:
    refused = await registry.call("PUT", "/calendar/2099", json=YEAR_2099 | change)
    assert (refused.status_code, refused.json()["reason"]) == (422, "bad_calendar")
    assert says in refused.json()["detail"]
    assert (await registry.call("GET", "/calendar/2099", "")).json()["version"] == 0


async def test_only_administrators_upload_and_years_have_bounds(registry: Registry) -> None:
    await registry.add_staff("review", "reviewer")
    assert (await registry.call("PUT", "/calendar/2099", "review", json=YEAR_2099)).status_code == 403
    assert (await registry.call("GET", "/calendar/1800", "")).json()["reason"] == "bad_calendar"
