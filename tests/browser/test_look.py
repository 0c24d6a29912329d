"""Every page for citizens, in both languages and both type sizes: readable, touchable, nothing sideways, no errors."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.citizen_steps import choices, pick
from tests.browser.conftest import ROUND, Errors, Site
from tests.browser.looks import LOOKS, check_pages
from tests.browser.looks import MEASURE as MEASURE  # for tests that measure by themselves

PAGES = [
    "/",
    f"/rounds/{ROUND}",
    f"/rounds/{ROUND}/candidates/K01",
    f"/rounds/{ROUND}/vote",
    f"/rounds/{ROUND}/privacy",
    "/receipts",
    "/results",
    "/notices",
    "/sign-in",
    "/sign-in/oidc",
    "/sign-in/wechat",
    "/receipts/00000000000000000000",
    "/design",
    "/no-such-page",
]


@pytest.mark.parametrize("look", LOOKS)
async def test_every_page_is_readable_and_touchable(page: Page, site: Site, errors: Errors, look: str) -> None:
    """At 360×740: text of 16 px (large: 20), contrast 4.5, targets of 44 px, nothing sideways, nothing for axe."""
    errors.expected += ["404"]
    await pick(page, choices(site))
    await check_pages(page, *PAGES, looks=[look])


# Text whose box does not grow with it; three lines of a summary are meant to end with an ellipsis.
CUT_OFF = """
() => [...document.querySelectorAll("body *")].filter((node) => {
  if (!node.getClientRects().length || node.matches(".skip-link, .candidate__summary, svg *")) return false;
  if (node.closest(".visually-hidden") || ["INPUT", "SELECT", "TEXTAREA"].includes(node.tagName)) return false;
  // The head of a table whose rows became cards is read aloud only.
  if (node.closest("thead") && node.closest("thead").clientWidth <= 1) return false;
  const style = getComputedStyle(node);
  const hides = style.overflowX !== "visible" && style.overflowX !== "auto";
  const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  const wide = own && node.scrollWidth > node.clientWidth + 1 && node.clientWidth > 0 && style.display !== "inline";
  const high = hides && node.scrollHeight > node.clientHeight + 1;
  return high || (wide && style.overflowX !== "auto");
}).map((node) => node.outerHTML.slice(0, 90))
"""
# WeChat on Android grows everything that is measured in rem; on iOS it grows the text alone.
LARGEST = {
    "everything": "() => { document.documentElement.style.fontSize = '160%'; }",
    "the text alone": """() => {
      const size = (node) => parseFloat(getComputedStyle(node).fontSize);
      const sizes = [...document.querySelectorAll("body *")].map((node) => [node, size(node)]);
      for (const [node, before] of sizes) node.style.fontSize = `${before * 1.6}px`;
    }""",
}


@pytest.mark.parametrize("grown", LARGEST)
async def test_wechats_largest_type_cuts_nothing_off(page: Page, site: Site, errors: Errors, grown: str) -> None:
    """Everything is there, nothing scrolls sideways, and no button hides a part of its word."""
    errors.expected += ["404"]
    await pick(page, choices(site))
    wrong: dict[str, Any] = {}
    for path in PAGES:
        await page.goto(path)
        await page.wait_for_load_state("networkidle")
        await page.evaluate(LARGEST[grown])
        sideways = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        cut = await page.evaluate(CUT_OFF)
        if cut or sideways > 0:
            wrong[path] = [f"{sideways} px", *cut]
    assert wrong == {}


async def test_english_pages_hold_no_chinese_of_ours(page: Page, site: Site) -> None:
    """Titles and names of a round stay as they are; headings, buttons and labels are English."""
    await page.goto("/?lang=en")
    script = "nodes => nodes.map(node => node.textContent).filter(text => /[\\u4e00-\\u9fff]/.test(text))"
    for path in ("/", f"/rounds/{ROUND}/vote", f"/rounds/{ROUND}/privacy", "/receipts", "/sign-in/wechat"):
        await page.goto(path)
        await page.wait_for_load_state("networkidle")
        chinese = await page.eval_on_selector_all("h2, button, label, legend, th, .hint, .error, nav a", script)
        assert chinese == [], path


async def test_language_and_type_size_stay_chosen_and_keep_the_filter(page: Page) -> None:
    """The links of the header keep what else stands in the address, and a cookie keeps the choice."""
    await page.goto(f"/rounds/{ROUND}?level=key")
    await page.click("a[data-switch][href*='lang=en']")
    await page.wait_for_url("**level=key&lang=en**")
    await page.click("a[data-switch][href*='large=1']")
    await page.goto("/receipts")
    assert await page.evaluate("document.documentElement.lang") == "en"
    assert await page.evaluate("document.documentElement.className") == "large"
