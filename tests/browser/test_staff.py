"""An expert scores a candidate; two administrators publish a ranking and download it."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, Page, expect

from services.cli.rounds import read_folder
from tests.browser.conftest import PHONE, ROUND, ROUNDS, Errors, Site, sign_in
from tests.support.waiting import wait_until

SMALL = "small"
CRITERIA = ("innovation", "exemplarity", "practicality", "breadth", "effectiveness")


async def test_an_expert_scores_a_candidate(page: Page, site: Site) -> None:
    """Marks are saved as they are typed, a missing mark holds the sheet back, a submitted sheet is locked."""
    await sign_in(page, "expert1", "/expert")
    sheet = f"/expert/rounds/{ROUND}/candidates/K01"
    await page.goto(sheet)
    for criterion in CRITERIA[:4]:
        await page.fill(f"#mark-{criterion}", "88")
    await expect(page.locator("#status")).to_have_attribute("data-state", "saved")
    await page.click("button[value=submit]")
    await expect(page.locator("#status")).to_have_attribute("data-state", "missing")

    await page.reload()
    await expect(page.locator("#mark-innovation")).to_have_value("88")
    await page.fill("#mark-effectiveness", "91")
    await page.click("button[value=submit]")
    await expect(page.locator(".notice--done")).to_contain_text("已提交并锁定")
    await expect(page.locator("#mark-innovation")).to_be_disabled()
    kept = site.client.get(f"/api/scoring/v1/rounds/{ROUND}/sheets/K01", actor="expert1").body
    assert kept["state"] == "submitted"
    assert kept["marks"]["effectiveness"] == "91"


async def test_an_administrator_downloads_the_ranking(
    page: Page, browser: Browser, site: Site, phone: str, errors: Errors, tmp_path: Path
) -> None:
    """Closed and sealed, proposed by one administrator, confirmed by another, downloaded as CSV and XLSX, public."""
    await site.load(SMALL, read_folder(ROUNDS / SMALL), 600)
    await site.vote_elsewhere(SMALL, phone, ["S1", "S3"])
    closed = site.client.post(f"/api/registry/v1/rounds/{SMALL}/close", {"reason": "全部居民已投票"}, actor="admin1")
    assert closed.status == 200, closed
    await wait_until(lambda: _sealed(site), 60, "the tally is sealed")

    await sign_in(page, "admin1", f"/admin/rounds/{SMALL}")
    await expect(page.locator("[data-live=turnout]")).to_have_text("1")
    await _twice(page, "[data-act=propose]")
    await expect(page.locator("[data-live=rankings]")).to_contain_text("admin1")

    other = await browser.new_context(viewport=PHONE, base_url=site.origin, locale="zh-CN")
    second = await other.new_page()
    errors.watch(second)
    await sign_in(second, "admin2", f"/admin/rounds/{SMALL}")
    await _twice(second, "[data-live=rankings] button")
    await expect(second.locator("[data-live=rankings]")).to_contain_text("已公布")

    async with second.expect_download() as waiting:
        await second.click("[data-live=rankings] a[href$='.csv']")
    await (await waiting.value).save_as(tmp_path / "ranking.csv")
    rows = (tmp_path / "ranking.csv").read_text("utf-8").splitlines()
    assert rows[0] == "group,place,candidate,total,vote_points,expert_points,tie_break,outcome"
    assert len(rows) == 1 + 6
    async with second.expect_download() as waiting:
        await second.click("[data-live=rankings] a[href$='.xlsx']")
    await (await waiting.value).save_as(tmp_path / "ranking.xlsx")
    assert (tmp_path / "ranking.xlsx").read_bytes().startswith(b"PK")

    await second.goto(f"/results/{SMALL}")
    await expect(second.locator("main")).to_contain_text("楼道书架")
    await other.close()


def _sealed(site: Site) -> bool:
    """Sealed by the timer of the voting service once the grace has passed, and known to scoring."""
    state = site.client.get(f"/api/scoring/v1/rounds/{SMALL}/state", actor="admin1").body
    return state.get("tally") is not None


async def _twice(page: Page, selector: str) -> None:
    """An act wants a second press."""
    await page.click(selector)
    await page.click(f"{selector}[data-armed]")
