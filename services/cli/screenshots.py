"""`pingxuan screenshots`: every page on a phone and on a desk, in Chinese and English, in normal and in large type.

Works on a running platform through its public origin only. Staff pages need the demo's sign-ins; a vote is cast only
when asked for with `--vote`, because it counts.
"""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from services.cli.client import Client, CommandFailed, progress

if TYPE_CHECKING:  # a tool of development, imported late so that the command exists without it
    from playwright.sync_api import Browser, Page

WIDTHS = {360: 740, 1280: 800}
LANGUAGES = ("zh", "en")
# The demo's people and where each begins to work.
ACCOUNTS = {
    "admin1": "/admin", "auditor1": "/admin", "expert1": "/expert", "helper1": "/stations", "officer1": "/office",
    "reviewer1": "/office", "applicant1": "/apply", "operator1": "/status", "security1": "/accounts",
}  # fmt: skip
STAFF_PATHS = ("/admin", "/office", "/apply", "/expert", "/panels", "/status", "/account", "/stations", "/rounds/")
# A picture of a whole page has no window at whose edge a bar could stick, and nothing is left out below it.
_WHOLE_PAGE = ".action-bar, .bulk { position: static !important } .candidate { content-visibility: visible !important }"
# Where names without digits stand for one among many: accounts, and the channels of a call.
_NAMED = re.compile(r"(/accounts|/office/recommendations/[^/]+)/(?!-)[^/]+$")
LINKS = "main a[href^='/'], header nav a[href^='/']"
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
@click.option("--password", default="pingxuan-demo", show_default=True, help="Of the demo's accounts.")
@click.option("--only", default="", help="Of all looks one: zh-360, en-1280-large; or a language: zh.")
@click.option("--vote", is_flag=True, help="Also vote as one citizen, for the receipt: a rehearsal or a demo only.")
def screenshots(out: Path, password: str, only: str, vote: bool) -> None:
    """Take a picture of every page of the running platform, 360×740 and 1280×800, zh and en, normal and large type.

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
        for width, language, large in product(WIDTHS, LANGUAGES, (False, True)):
            look = look_of(width, language, large)
            if only not in (look, look.partition("-")[0], ""):
                continue
            camera = Camera(browser, client, out, width, language, large)
            camera.citizens_pages()
            camera.staff_pages(password)
            if vote:
                camera.vote()
            camera.close()
            count += camera.taken
    click.echo(f"{count} pictures in {out}")


def look_of(width: int, language: str, large: bool) -> str:
    """How the names of a look's pictures begin."""
    return f"{language}-{width}{'-large' if large else ''}"


def _download_error() -> type[Exception]:
    from playwright.sync_api import Error

    return Error


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
    """One browser window of one size, language and type; pictures are named language-width[-large]-page.png."""

    browser: Browser
    client: Client
    out: Path
    width: int
    language: str
    large: bool = False
    taken: int = 0

    def __post_init__(self) -> None:
        self._context = self.browser.new_context(
            viewport={"width": self.width, "height": WIDTHS[self.width]},
            base_url=self.client.environment["PUBLIC_ORIGIN"],
            locale="en-GB" if self.language == "en" else "zh-CN",
            bypass_csp=True,
        )
        self._page: Page = self._context.new_page()
        self._choose_looks()
        answer = self.client.get("/api/registry/v1/rounds")
        self._rounds: list[dict[str, Any]] = answer.body.get("rounds", [])

    def _choose_looks(self) -> None:
        self._page.goto(f"/?lang={self.language}&large={int(self.large)}")

    def close(self) -> None:
        self._context.close()

    def take(self, name: str, path: str = "", *, whole: bool = True) -> None:
        """A picture of the page at `path`, or of what is shown now; `whole` or the window alone."""
        if path:
            self._page.goto(path)
        if whole:
            self._page.add_style_tag(content=_WHOLE_PAGE)
        self._page.wait_for_timeout(400)
        kind = look_of(self.width, self.language, self.large)
        self._page.screenshot(path=self.out / f"{kind}-{name}.png", full_page=whole)
        self.taken += 1
        progress(f"{kind} {name}")

    def citizens_pages(self) -> None:
        fixed = {"home": "/", "receipts": "/receipts", "results": "/results", "notices": "/notices"}
        fixed |= {"design": "/design", "sign-in": "/sign-in", "refusal": "/rounds/no-such-round"}
        # Without a token behind its # this page says that the link is no longer good.
        fixed |= {"invitation": "/sign-in/invitation"}
        for name, path in fixed.items():
            self.take(name, path)
        for each in self._rounds:
            self._round(each["round"])
            if each.get("list_version"):
                self._after_the_notice(each["round"])

    def _round(self, round_id: str) -> None:
        pages = {"round": "/rounds/{}", "privacy": "/rounds/{}/privacy", "vote": "/rounds/{}/vote"}
        pages |= {"result": "/results/{}", "notice": "/notices/{}"}
        for name, path in pages.items():
            self.take(f"{name}-{round_id}", path.format(round_id))
        facts = self.client.get(f"/api/voting/v1/rounds/{round_id}").body
        first = facts["candidates"][0]["candidate"]
        self.take(f"candidate-{round_id}", f"/rounds/{round_id}/candidates/{first}")

    def _after_the_notice(self, round_id: str) -> None:
        """How the result was made, objecting, and the projects of the list; the first project where one is open."""
        for name in ("statistics", "exclusions", "versions"):
            self.take(f"result-{name}-{round_id}", f"/results/{round_id}/{name}")
        self._page.goto(f"/results/{round_id}")
        if (link := self._page.query_selector("td.wide a")) is not None:
            self.take(f"result-candidate-{round_id}", link.get_attribute("href") or "")
        self.take(f"objection-{round_id}", f"/notices/{round_id}/objection")
        self.take(f"projects-{round_id}", f"/projects/{round_id}")
        if (link := self._page.query_selector(f"a[href^='/projects/{round_id}/']")) is not None:
            self.take(f"project-{round_id}", link.get_attribute("href") or "")

    def _open_round(self) -> str | None:
        return next((each["round"] for each in self._rounds if each.get("phase") == "open"), None)

    def staff_pages(self, password: str) -> None:
        """What each of the demo's accounts can reach from where it begins; accounts that are not there are left out."""
        for username, start in ACCOUNTS.items():
            self._page.goto(f"/sign-in?next={start}")
            self._page.fill("#username", username)
            self._page.fill("#password", password)
            with self._page.expect_navigation():
                self._page.click("main button[type=submit]")
            if urlsplit(self._page.url).path == "/sign-in":
                click.echo(f"{start} is left out: {username} cannot sign in with this password", err=True)
            else:
                self._walk(username, urlsplit(self._page.url).path)
            self._context.clear_cookies()
            self._choose_looks()

    def _walk(self, username: str, start: str) -> None:
        """Every page that links lead to, one of each kind: a list's first entry stands for the others."""
        waiting, known = [start], {self._kind(start)}
        while waiting:
            path = waiting.pop(0)
            try:
                self.take(f"{username}{self._kind(path).replace('/', '-')}", path)
            except _download_error():
                continue  # a file to download is no page
            links = self._page.eval_on_selector_all(LINKS, "links => links.map(link => link.pathname)")
            for link in links:
                if link.startswith(STAFF_PATHS) and self._kind(link) not in known:
                    known.add(self._kind(link))
                    waiting.append(link)

    def _kind(self, path: str) -> str:
        """The path with what names one thing among many left out; rounds differ by their phase and stay."""
        path = _NAMED.sub(r"\1/one", path)
        rounds = {each["round"] for each in self._rounds}
        parts = [part if part in rounds or not re.search(r"\d", part) else "one" for part in path.split("/")]
        return "/".join(parts)

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
        self.take("pad", whole=False)
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
