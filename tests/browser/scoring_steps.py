"""A small round with scoring for the experts' and the office's browser tests, and people in windows of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, ViewportSize

from services.cli.rounds import read_folder
from tests.browser.conftest import ROUNDS, Errors, Site, sign_in

TABLET: ViewportSize = {"width": 768, "height": 1024}
DESK: ViewportSize = {"width": 1280, "height": 800}
CRITERIA = ("innovation", "effect")
_SCORING = """
[[criteria]]
id = "innovation"
title = "创新性"
weight = "0.5"
min = "0"
max = "100"
step = "0.5"

[[criteria]]
id = "effect"
title = "成效"
weight = "0.5"
min = "0"
max = "100"
step = "1"
"""


def scored_round(round_id: str) -> dict[str, str]:
    """The files of `small` with two criteria and a scoring window beside the vote's."""
    files = read_folder(ROUNDS / "small")
    rules = files["rules.toml"].replace('id = "small"', f'id = "{round_id}"')
    window = next(line for line in rules.splitlines() if line.startswith("voting"))
    rules = rules.replace(window, f"{window}\n{window.replace('voting', 'scoring', 1)}")
    rules = rules.replace('votes = "1"\nexperts = "0"', 'votes = "0.5"\nexperts = "0.5"')
    return files | {"rules.toml": rules + _SCORING}


@asynccontextmanager
async def at_work(
    browser: Browser, site: Site, errors: Errors, username: str, following: str, size: ViewportSize = DESK
) -> AsyncIterator[Page]:
    """A signed-in person's own window."""
    context = await browser.new_context(viewport=size, base_url=site.origin, locale="zh-CN")
    context.set_default_timeout(20_000)
    page = await context.new_page()
    errors.watch(page)
    await sign_in(page, username, following)
    yield page
    await context.close()


def sheet(round_id: str, candidate: str) -> str:
    return f"/expert/rounds/{round_id}/candidates/{candidate}"
