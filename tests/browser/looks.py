"""How a page must look, whoever made it: one check that every browser test calls on the pages and states it visits.

`check_look(page)` looks at what is shown now; `check_pages(page, *paths)` goes to each path in both languages and both
type sizes. What they find is told with the element it was found at.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

LOOKS = ("lang=zh&large=0", "lang=en&large=0", "lang=zh&large=1", "lang=en&large=1")
# axe takes half a second: colours, roles and names are the same in the other looks, sizes and widths are not.
LOOKS_WITH_AXE = ("lang=zh&large=0", "lang=en&large=1")
_AXE = Axe()
_AXE_OPTIONS = {"resultTypes": ["violations"]}
# What a person can see: text of 16 px (large: 20), its contrast by WCAG 2, targets of 44 px, nothing too wide.
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
    // Text of a chart is scaled with its picture, which has no background of its own.
    const scale = node.ownerSVGElement ? node.getScreenCTM().a : 1;
    if (parseFloat(style.fontSize) * scale < least - 0.01) found.small.push(node.textContent.trim().slice(0, 30));
    if (node.ownerSVGElement) continue;
    const [one, two] = [light(numbers(style.color)), light(behind(node))].sort((first, second) => second - first);
    if ((one + 0.05) / (two + 0.05) < 4.5) found.faint.push(node.textContent.trim().slice(0, 30));
  }
  for (const node of document.querySelectorAll("button, select, input, summary, nav a, .button, .site-tools a")) {
    const box = (node.closest(".choice, .pick, .answers__one") || node).getBoundingClientRect();
    if (shown(node) && box.height < 43.5) found.tiny.push(node.outerHTML.slice(0, 60));
  }
  return found;
}
"""


async def check_look(page: Page, *, axe: bool = True) -> None:
    """Fails with everything that is wrong with the page as it is shown now."""
    wrong = await found_wrong(page, axe=axe)
    assert wrong == {}, f"{page.url}: {json.dumps(wrong, ensure_ascii=False, indent=1)}"


async def check_pages(page: Page, *paths: str, looks: Sequence[str] = LOOKS) -> None:
    """Go to each path in each look; fails with everything that is wrong, by path and look."""
    wrong: dict[str, Any] = {}
    for look in looks:
        for path in paths:
            await page.goto(f"{path}{'&' if '?' in path else '?'}{look}")
            await page.wait_for_load_state("networkidle")
            if found := await found_wrong(page, axe=look in LOOKS_WITH_AXE):
                wrong[f"{path} {look}"] = found
    assert wrong == {}, json.dumps(wrong, ensure_ascii=False, indent=1)


async def found_wrong(page: Page, *, axe: bool = True) -> dict[str, Any]:
    """Kinds of findings with where they are; empty for a page that is as it must be."""
    measured = await page.evaluate(MEASURE)
    wrong = {kind: found for kind, found in measured.items() if found and found != 0}
    if measured["sideways"] < 0:
        del wrong["sideways"]
    if axe and (violations := await axe_violations(page)):
        wrong["axe"] = violations
    return wrong


async def axe_violations(page: Page) -> list[str]:
    """What axe-core finds: rule, element, and what to do."""
    results = await _AXE.run(page, options=_AXE_OPTIONS)
    return [
        f"{violation['id']}: {node['target']} {node['html'][:160]} ({node['failureSummary']})"
        for violation in results.response["violations"]
        for node in violation["nodes"]
    ]
