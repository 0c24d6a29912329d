"""The office's pages: what waits for whom, lists with filters and exports, a case beside its forms, who sees what."""

from __future__ import annotations

import httpx

from tests.integration.registry.call_steps import (
    CALL,
)
from tests.integration.registry.conftest import Registry
from tests.integration.registry.test_reviews import in_review


async def page(registry: Registry, path: str, actor: str, *, status: int = 200) -> str:
    registry.http.cookies.clear()
    answer: httpx.Response = await registry.http.get(path, headers=registry.headers(actor) if actor else {})
    assert answer.status_code == status, f"{path}: {answer.status_code}: {answer.text[:2000]}"
    return answer.text


async def test_smoke(registry: Registry) -> None:
    found = await in_review(registry, 2)
    officer = "officer-wuhua"
    for path in (
        "/office",
        "/office/units?state=",
        "/office/applications",
        "/office/reviews",
        "/office/joint-checks",
        "/office/recommendations",
        f"/office/recommendations/{CALL}/wuhua",
        "/office/objections",
        "/office/projects",
        f"/office/applications/{found[0][0]}",
    ):
        await page(registry, path, "admin1")
        await page(registry, path, "rev1")
        if path not in ("/office/reviews", "/office/joint-checks", "/office/objections"):
            await page(registry, path, officer)


async def test_smoke_projects(registry: Registry) -> None:
    from tests.integration.registry.conftest import simple_files
    from tests.support.project_rounds import ROUND, SELECTION, open_office

    office = await open_office(registry, simple_files(ROUND, more=SELECTION)["rules.toml"])
    await office.grant()
    voucher = await office.upload("unit1", "one")
    await office.post("unit1", "/c1/bookings", office.booking(voucher, "100"))
    for path in (
        "/office",
        "/office/projects",
        f"/office/projects/{ROUND}/c1",
        f"/office/projects/{ROUND}/c2",
        "/office/objections",
        f"/office/objections/new/{ROUND}",
    ):
        text = await page(registry, path, "ann")
    print(await page(registry, "/office", "ann"))
