"""`pingxuan screenshots`: a picture of every page on a phone and on a desk, in Chinese and English.

Works on a running platform through its public origin only. Staff pages need the demo's sign-ins; a vote is cast only
when asked for with `--vote`, because it counts.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.cli.client import Client, CommandFailed, progress

if TYPE_CHECKING:  # a tool of development, imported late so that the command exists without it
    from playwright.sync_api import Browser, Page

WIDTHS = {360: 740, 1280: 800}
LANGUAGES = ("zh", "en")
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("screenshots"), show_default=True)
@click.option("--password", default="pingxuan-demo", show_default=True, help="Of the accounts admin1 and expert1.")
@click.option("--vote", is_flag=True, help="Also vote as one citizen, for the receipt: a rehearsal or a demo only.")
def screenshots(out: Path, password: str, vote: bool) -> None:
    """Take a picture of every page of the running platform, 360×740 and 1280×800, zh and en.

    \b
    Example:
      pingxuan screenshots --out screenshots --vote
    """
    client = Client.find()
    # Fails here, in one sentence, where nothing is running.
    client.get("/api/registry/v1/rounds")
    out.mkdir(parents=True, exist_ok=True)
    count = 0
    with _browser() as browser:
        for width in WIDTHS:
            for language in LANGUAGES:
                camera = Camera(browser, client, out, width, language)
                camera.citizens_pages()
                camera.staff_pages(password)
                if vote:
                    camera.vote()
                camera.close()
                count += camera.taken
    click.echo(f"{count} pictures in {out}")


@contextmanager
def _browser() -> Iterator[Browser]:
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise CommandFailed("screenshots need the development tools: run `make setup` in a clone") from None
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise CommandFailed("Chromium is missing: run `make browser`, or apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        try:
            yield browser
        except Error as error:
            raise CommandFailed(f"a page could not be photographed: {str(error).splitlines()[0]}") from None
        finally:
            browser.close()


@dataclass
class Camera:
    """One browser window of one size and language; pictures are named language-width-page.png."""

    browser: Browser
    client: Client
    out: Path
    width: int
    language: str
    taken: int = 0

    def __post_init__(self) -> None:
        self._context = self.browser.new_context(
            viewport={"width": self.width, "height": WIDTHS[self.width]},
            base_url=self.client.environment["PUBLIC_ORIGIN"],
        )
        self._page: Page = self._context.new_page()
        self._page.goto(f"/?lang={self.language}")
        answer = self.client.get("/api/registry/v1/rounds")
        self._rounds: list[dict[str, Any]] = answer.body.get("rounds", [])

    def close(self) -> None:
        self._context.close()

    def take(self, name: str, path: str = "") -> None:
        """A picture of the whole page at `path`, or of what is shown now."""
        if path:
            self._page.goto(path)
        self._page.wait_for_timeout(400)
        self._page.screenshot(path=self.out / f"{self.language}-{self.width}-{name}.png", full_page=True)
        self.taken += 1
        progress(f"{self.language} {self.width} {name}")

    def citizens_pages(self) -> None:
        fixed = {"home": "/", "receipts": "/receipts", "results": "/results", "notices": "/notices"}
        fixed |= {"design": "/design", "sign-in": "/sign-in", "refusal": "/rounds/no-such-round"}
        # Without a token behind its # this page says that the link is no longer good.
        fixed |= {"invitation": "/sign-in/invitation"}
        for name, path in fixed.items():
            self.take(name, path)
        self.take("home-large", "/?large=1")
        self._page.goto("/?large=0")
        for each in self._rounds:
            self._round(each["round"])
            if each.get("list_version"):
                self._after_the_notice(each["round"])

    def _round(self, round_id: str) -> None:
        pages = {"round": "/rounds/{}", "privacy": "/rounds/{}/privacy"}
        pages |= {"result": "/results/{}", "notice": "/notices/{}"}
        for name, path in pages.items():
            self.take(f"{name}-{round_id}", path.format(round_id))
        facts = self.client.get(f"/api/voting/v1/rounds/{round_id}").body
        first = facts["candidates"][0]["candidate"]
        self.take(f"candidate-{round_id}", f"/rounds/{round_id}/candidates/{first}")

    def _after_the_notice(self, round_id: str) -> None:
        """Objecting, and the projects of the list; the first project where one is open."""
        self.take(f"objection-{round_id}", f"/notices/{round_id}/objection")
        self.take(f"projects-{round_id}", f"/projects/{round_id}")
        if (link := self._page.query_selector(f"a[href^='/projects/{round_id}/']")) is not None:
            self.take(f"project-{round_id}", link.get_attribute("href") or "")

    def _open_round(self) -> str | None:
        return next((each["round"] for each in self._rounds if each.get("phase") == "open"), None)

    def staff_pages(self, password: str) -> None:
        """The expert's and the administrator's pages; left out where the demo's accounts are not there."""
        for username, start in (("expert1", "/expert"), ("admin1", "/admin")):
            self._page.goto(f"/sign-in?next={start}")
            self._page.fill("#username", username)
            self._page.fill("#password", password)
            self._page.click("main button[type=submit]")
            self._page.wait_for_load_state()
            if not self._page.url.endswith(start):
                click.echo(f"{start} is left out: {username} cannot sign in with this password", err=True)
                continue
            self.take(start.strip("/"))
            self._rounds_of_staff(start)
            self._context.clear_cookies()
            self._page.goto(f"/?lang={self.language}")

    def _rounds_of_staff(self, start: str) -> None:
        if start == "/admin":
            for each in self._rounds:
                self.take(f"admin-{each['round']}", f"/admin/rounds/{each['round']}")
                for page in ("holds", "stations", "reissues"):
                    self.take(f"{page}-{each['round']}", f"/rounds/{each['round']}/staff/{page}")
        elif (link := self._page.query_selector("a[href*='/candidates/']")) is not None:
            self.take("sheet", link.get_attribute("href") or "")

    def vote(self) -> None:
        """From the number pad to the receipt, as one citizen of the open round."""
        from services.cli.people import new_phone, valid_choices

        round_id = self._open_round()
        if round_id is None:
            click.echo("no round is open: the voting pages are left out", err=True)
            return
        page, phone = self._page, new_phone()
        facts = self.client.get(f"/api/voting/v1/rounds/{round_id}").body
        page.goto(f"/rounds/{round_id}")
        for candidate in valid_choices(facts, random.Random(36)):  # noqa: S311 - a picture, not a secret
            page.click(f"[data-pick='{candidate}']")
        page.click("#pad-open")
        page.click("#pad [data-key='3']")
        self.take("pad")
        page.click("#pad-close")
        page.click("#bar-review")
        page.wait_for_selector("#chosen li")
        self.take("vote-review")
        page.click("#review-done")
        page.check("#consent")
        page.check("#age")
        self.take("vote-phone")
        page.fill("#phone", phone)
        page.click("#phone-send")
        page.wait_for_selector("#step-code:not([hidden])")
        self.take("vote-code")
        sent = self.client.post("/api/voting/v1/dev/outbox", {"phone": phone}, actor="").body
        page.fill("#code", str(sent["items"][-1]["code"]))
        page.click("#code-send")
        page.wait_for_selector("#step-receipt:not([hidden])")
        self.take("vote-receipt")
        page.click("#receipt-link")
        page.wait_for_load_state()
        self.take("receipt")
