"""Two administrators publish a ranking from the office's pages; everybody reads how it was made, in every look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import PHONE, Errors, Site, sign_in
from tests.browser.looks import LOOKS_WITH_AXE, check_look, check_pages
from tests.support.waiting import wait_until

RESULT = "result-pages"
RATERS = ("rater1", "rater2", "rater3")
CANDIDATES = ("R1", "R2", "R3", "R4", "R5")
SCORING = f"/api/scoring/v1/rounds/{RESULT}"


def files() -> dict[str, str]:
    """A round that experts alone decide, so that nothing has to be closed or sealed."""
    criteria = "".join(
        f'[[criteria]]\nid = "{name}"\ntitle = "{title}"\nweight = "0.5"\nmin = "0"\nmax = "100"\nstep = "1"\n'
        for name, title in (("innovation", "创新性"), ("effect", "成效"))
    )
    now = datetime.now(UTC)
    opens, closes = ((now + timedelta(hours=hours)).isoformat(timespec="seconds") for hours in (1, 2))
    rules = (
        f'schema = 1\n[round]\nid = "{RESULT}"\ntitle = "结果页面的评选"\ntimezone = "Asia/Shanghai"\n'
        f"[windows]\nscoring = {{ opens = {opens}, closes = {closes} }}\n{criteria}"
        '[experts]\naggregate = "trimmed_mean"\ntrim_low = 1\ntrim_high = 1\npanel_min = 3\naggregate_decimals = 2\n'
        '[combination]\nvotes = "0"\nexperts = "1"\ndecimals = 2\n[selection]\nplaces = { all = 2 }\nreserve = 1\n'
    )
    rows = [f"{each},结果项目{each}：街坊议事厅的日常,单位{each},区一,culture,general" for each in CANDIDATES]
    experts = "".join(f'[[experts]]\nusername = "{each}"\nname = "评委{each}"\nunit = "学院"\n' for each in RATERS)
    header = "candidate,title,unit,channel,category,level"
    return {"rules.toml": rules, "candidates.csv": "\n".join([header, *rows]) + "\n", "experts.toml": experts}


async def prepare(site: Site) -> None:
    """The round is open for scoring everywhere, and every sheet is in."""
    for each in RATERS:
        site.add_staff(each, "expert", f"评委{each}")
    loaded = site.client.post("/api/registry/v1/rounds", {"files": files(), "open_for_s": 3600})
    assert loaded.status == 201, loaded

    def open_for_all() -> bool:
        state = site.client.get(SCORING).body.get("scoring", {})
        mine = [site.client.get(f"{SCORING}/sheets/R1", actor=each).status for each in RATERS]
        return state.get("state") == "open" and mine == [200, 200, 200]

    await wait_until(open_for_all, 30, "every expert may score")
    async with httpx.AsyncClient(base_url=site.platform.urls["origin"], trust_env=False) as http:
        for k, rater in enumerate(RATERS):
            headers = {"authorization": f"Bearer {site.client.token(rater)}"}
            for n, candidate in enumerate(CANDIDATES):
                marks = {"innovation": str(90 - 8 * n + k), "effect": str(70 + 3 * n - 2 * k)}
                path = f"{SCORING}/sheets/{candidate}"
                (await http.put(path, json={"marks": marks}, headers=headers)).raise_for_status()
                (await http.post(f"{path}/submit", headers=headers)).raise_for_status()


async def press_twice(page: Page, form: str) -> None:
    await page.click(f"{form} button[type=submit]")
    await page.click(f"{form} button[data-armed]")


async def test_a_ranking_goes_public_by_two_hands_and_reads_well(
    page: Page, browser: Browser, site: Site, errors: Errors
) -> None:
    """Preview, proposal, second signature; then rows, one candidate, statistics and versions in every look."""
    await prepare(site)
    await page.goto(f"/results/{RESULT}")
    await expect(page.locator("main")).to_contain_text("结果还没有公布")
    office = f"/panels/{RESULT}/rankings"
    await sign_in(page, "admin1", f"{office}/preview")
    await check_look(page)
    await press_twice(page, "form[data-call]")
    await page.wait_for_url(f"**{office}/1")
    await expect(page.locator("main")).to_contain_text("等待另一位管理员签署")
    await expect(page.locator("form[data-call]")).to_have_count(0)

    other = await browser.new_context(viewport=PHONE, base_url=site.origin, locale="zh-CN")
    second = await other.new_page()
    errors.watch(second)
    await sign_in(second, "admin2", f"{office}/1")
    await check_look(second)
    await press_twice(second, "form[data-call]")
    await expect(second.locator("main")).to_contain_text("已公布")
    await other.close()

    def made() -> bool:
        return site.client.get(f"{SCORING}/rankings/1/statistics").status == 200

    await wait_until(made, 60, "the statistics are made")
    public = f"/results/{RESULT}"
    pages = (public, f"{public}/R5", f"{public}/statistics", f"{public}/versions", office)
    await check_pages(page, *pages, looks=LOOKS_WITH_AXE)
    await page.goto(f"{public}/statistics?lang=zh&large=0")
    for chart in await page.locator("svg.chart").all():
        box = await chart.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
