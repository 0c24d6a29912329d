"""The office draws a panel, an invited expert joins it, and the review meeting goes from project to project."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import PASSWORD, Errors, Site, sign_in
from tests.browser.scoring_steps import CRITERIA, TABLET, at_work, scored_round

ROUND = "meeting-round"
OFFICE = f"/panels/{ROUND}"
API = f"/api/scoring/v1/rounds/{ROUND}"
PEOPLE = ("pan1", "pan2", "pan3")
INVITED = "pan9"


async def test_a_panel_is_drawn_by_two_people_and_meets(
    page: Page, site: Site, browser: Browser, errors: Errors
) -> None:
    """Pool, promise, words of a second person; the link, the letter; tablets follow the chair; nobody waits unseen."""
    await site.load(ROUND, scored_round(ROUND), 1800)
    for number, name in enumerate(PEOPLE, 1):
        site.add_staff(name, "expert", f"评委{number}")
    await _draw(site, browser, errors)
    await _accept_invitation(page, site)

    async with at_work(browser, site, errors, "admin1", OFFICE + "/meeting") as office:
        await office.select_option("#chair", "admin1")
        for name in PEOPLE[1:]:
            await office.uncheck(f"[name=present][value={name}]")
        await office.click("#begin ~ form button[type=submit]")
        await expect(office.locator(".meeting-now h2")).to_have_text("还没有打开项目")
        await expect(page.locator("#queue-" + ROUND)).to_contain_text("评审会正在进行")
        await office.click(".meeting-now .button--primary")
        await expect(office.locator(".meeting-now")).to_contain_text("等待打分")
        await page.wait_for_url("**/candidates/*")
        first = page.url
        await _score(page)
        async with at_work(browser, site, errors, PEOPLE[0], "/expert", TABLET) as tablet:
            await tablet.click("button[value=sign]")
            await tablet.goto("/expert")
            await tablet.click("text=去正在评的项目")
            await _score(tablet)
            await expect(office.locator(".meeting-now .notice--done")).to_be_visible()
            await office.click(".meeting-now .button--primary")
            for each in (page, tablet):
                await each.wait_for_url(lambda url: "/candidates/" in url and url.split("?")[0] != first.split("?")[0])
    board = site.client.get(f"{API}/progress", actor="admin1").body["panels"][0]["experts"]
    assert {row["expert"]: row["submitted"] for row in board if row["submitted"]} == {PEOPLE[0]: 1, INVITED: 1}


async def _draw(site: Site, browser: Browser, errors: Errors) -> None:
    async with at_work(browser, site, errors, "admin1", OFFICE + "/panel") as page:
        rows = "\n".join(f"{name}\t社会学、财务\t{name}大学\t\t\t" for name in (*PEOPLE, INVITED))
        await page.fill("#rows", rows)
        await page.click("#pool-form button[type=submit]")
        await page.fill("[name=seats]", "4")
        await page.fill("[name=reserves]", "0")
        await page.fill("[name=fields]", "社会学 2，财务")
        await page.click("#plan-form button[type=submit]")
        await expect(page.locator("#promised ~ .notice--wait")).to_be_visible()
    async with at_work(browser, site, errors, "admin2", OFFICE + "/panel") as page:
        await page.fill("#word", "3402.19")
        await page.click("#promised ~ form button")
        await page.click("#promised ~ form button[data-armed]")
        await expect(page.locator("#drawn ~ .grid li li")).to_have_count(4)


async def _accept_invitation(page: Page, site: Site) -> None:
    """From the link that the office hands over to the signed letter."""
    invitation = {"roles": ["expert"], "username": INVITED, "name": "新评委"}
    made = site.client.post("/api/registry/v1/staff/invitations", invitation)
    assert made.status == 201, made
    link = urlsplit(made.body["link"])
    await page.goto(f"{link.path}#{link.fragment}")
    await page.fill("#password", PASSWORD)
    await page.click("#accept button[type=submit]")
    await page.wait_for_url("**/sign-in")
    site.until_known(INVITED)
    await sign_in(page, INVITED, "/expert")
    await expect(page.locator("main")).to_contain_text("评审专家承诺书")
    await page.click("button[value=sign]")
    await expect(page.locator(".notice--done")).to_contain_text("承诺书已签署")
    await page.goto("/expert")


async def _score(page: Page) -> None:
    for criterion in CRITERIA:
        await page.fill(f"#mark-{criterion}", "77")
    await page.click("button[form=sheet]")
    await page.wait_for_url("**?done=submitted")


async def test_two_clerks_settle_what_they_read_differently(site: Site, browser: Browser, errors: Errors) -> None:
    """The scan first; both enter alone, see what differs, and the corrected entry counts."""
    issued = site.client.post(f"{API}/papers", {"candidate": "S6", "expert": PEOPLE[1]}, actor="admin1")
    code = issued.body["code"]
    path = f"{OFFICE}/papers/sheets/{code}"
    scan = {"name": "签字.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 signed"}
    async with (
        at_work(browser, site, errors, "admin1", path) as first,
        at_work(browser, site, errors, "admin2", path) as second,
    ):
        await first.set_input_files("#file", scan)  # type: ignore[arg-type]
        await first.click("[enctype] button")
        await expect(first.locator("#scan-used")).to_be_visible()
        await second.reload()
        for page, effect in ((first, "68"), (second, "86")):
            await page.fill("#mark-innovation", "75.5")
            await page.fill("#mark-effect", effect)
            await page.click("text=存入我的录入")
            await expect(page.locator("main")).to_contain_text("改正录入")
        await expect(second.locator("#differs ~ .table-wrap tbody")).to_contain_text("成效")
        await second.fill("#mark-effect", "68")
        await second.click("text=存入我的录入")
        await expect(second.locator(".facts .badge--done")).to_contain_text("已作数")
    kept = site.client.get(f"/api/scoring/v1/rounds/{ROUND}/sheets/S6", actor=PEOPLE[1]).body
    assert (kept["state"], kept["marks"]) == ("submitted", {"innovation": "75.5", "effect": "68"})
