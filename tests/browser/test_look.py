"""Every page for citizens, in both languages and both type sizes: readable, touchable, nothing sideways, no errors."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.citizen_steps import choices, pick
from tests.browser.conftest import ROUND, Errors, Site

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
]
# What a person can see: its text, the ratio of its colours by WCAG 2, and its size where it can be pressed.
MEASURE = """
() => {
  const channel = (value) => {
    const part = value / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  };
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([red, green, blue]) => 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
  const behind = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const colour = numbers(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const shown = (node) => {
    const box = node.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && getComputedStyle(node).visibility === "visible";
  };
  const found = { small: [], faint: [], tiny: [], sideways: document.documentElement.scrollWidth - innerWidth };
  const least = document.documentElement.classList.contains("large") ? 20 : 16;
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !shown(node) || ["SCRIPT", "NOSCRIPT", "OPTION"].includes(node.tagName)) continue;
    const style = getComputedStyle(node);
    if (parseFloat(style.fontSize) < least) found.small.push(node.textContent.trim().slice(0, 30));
    const [one, two] = [light(numbers(style.color)), light(behind(node))].sort((first, second) => second - first);
    if ((one + 0.05) / (two + 0.05) < 4.5) found.faint.push(node.textContent.trim().slice(0, 30));
  }
  for (const node of document.querySelectorAll("button, select, input, nav a, .button, .site-tools a")) {
    const box = (node.closest(".choice") || node).getBoundingClientRect();
    if (shown(node) && box.height < 43.5) found.tiny.push(node.outerHTML.slice(0, 60));
  }
  return found;
}
"""


@pytest.mark.parametrize("looks", ["lang=zh", "lang=en", "lang=zh&large=1", "lang=en&large=1"])
async def test_every_page_is_readable_and_touchable(page: Page, site: Site, errors: Errors, looks: str) -> None:
    """At 360×740: text of 16 px (large: 20) with a contrast of 4.5, targets of 44 px, no scrolling sideways."""
    errors.expected += ["404"]
    await pick(page, choices(site))
    wrong: dict[str, Any] = {}
    for path in PAGES:
        await page.goto(f"{path}?{looks}")
        await page.wait_for_load_state("networkidle")
        found = await page.evaluate(MEASURE)
        if found["small"] or found["faint"] or found["tiny"] or found["sideways"] > 0:
            wrong[path] = found
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
