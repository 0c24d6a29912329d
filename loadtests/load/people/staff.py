"""Experts who score sheet after sheet, and administrators who look at progress and pull rankings.

Accounts of their own, signed in with passwords; what a page saves by itself is saved here in the same small steps.
"""

from __future__ import annotations

from itertools import cycle
from typing import Any, ClassVar
from urllib.parse import urlencode

from locust import task

from loadtests.load.people.base import SCENE, Person, Reply
from loadtests.load.record import Step
from loadtests.load.scene import GROUPS, Account
from services.cli.people import REGISTRY, SCORING

SHEETS = f"{SCORING}/rounds/{SCENE.round}/sheets"
RANKINGS = f"{SCORING}/rounds/{SCENE.ranked}/rankings"
_experts, _administrators = cycle(SCENE.experts), cycle(SCENE.administrators)


class Member(Person):
    """Somebody with an account, at one desk for the whole run; signs in again when the sign-in has run out."""

    abstract = True

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.account: Account | None = None
        self.token = ""

    def on_start(self) -> None:
        self.become()
        self.account = self.next_account()
        self.sign_in()

    def next_account(self) -> Account:
        raise NotImplementedError

    def sign_in(self) -> None:
        assert self.account is not None
        form = {"username": self.account.username, "password": self.account.password}
        answer = self.call(Step.STAFF_SIGN_IN, "POST", f"{REGISTRY}/sessions", form)
        self.token = str(answer.body.get("token", ""))

    def act(self, step: Step, method: str, path: str, body: Any = None) -> Reply:
        """A call with the token, renewed once where it has run out."""
        answer = self.call(step, method, path, body, token=self.token, expected={"bad_token", "unauthorized"})
        if answer.status == 401:
            self.sign_in()
            answer = self.call(step, method, path, body, token=self.token)
        return answer

    def look(self, step: Step, path: str) -> Reply:
        """A page by the cookie; one that leads to the sign-in is asked for again after it."""
        page = self.open_page(step, path)
        if page.status == 303:
            self.sign_in()
            page = self.open_page(step, path)
        return page


class Expert(Member):
    """Opens the queue, marks one criterion after the other, hands the sheet in."""

    title = "expert"
    fixed_count = len(SCENE.experts)
    step_marks: ClassVar[tuple[int, int]] = (62, 93)

    def next_account(self) -> Account:
        return next(_experts)

    @task
    def score(self) -> None:
        self.look(Step.EXPERT_PAGE, "/expert")
        queue = self.act(Step.QUEUE, "GET", SHEETS)
        waiting = [sheet for sheet in queue.body.get("sheets", []) if sheet["state"] == "draft"]
        if not waiting:
            return
        sheet = waiting[0]
        self.look(Step.SHEET_PAGE, f"/expert/rounds/{SCENE.round}/candidates/{sheet['candidate']}")
        criteria = [each["criterion"] for each in queue.body["criteria"]]
        self._fill_in(str(sheet["candidate"]), int(sheet["version"]), criteria)

    def _fill_in(self, candidate: str, version: int, criteria: list[str]) -> None:
        """One save after each mark, based on the version before it, as the page does."""
        marks: dict[str, str] = {}
        for criterion in criteria:
            self.think(0.5, 1.5)
            marks[criterion] = str(self.chance.randint(*self.step_marks))
            body = {"marks": marks, "comment": "", "version": version}
            saved = self.act(Step.SHEET_SAVE, "PUT", f"{SHEETS}/{candidate}", body)
            if not saved.ok:
                return
            version = int(saved.body["version"])
        self.think(0.5, 1.5)
        self.act(Step.SHEET_SUBMIT, "POST", f"{SHEETS}/{candidate}/submit", {"acknowledged": []})


class Administrator(Member):
    """Watches the open round and pulls the finished one's ranking: by group, by outcome, by words, as files."""

    title = "administrator"
    fixed_count = len(SCENE.administrators)

    def next_account(self) -> Account:
        return next(_administrators)

    @task
    def pull(self) -> None:
        self.look(Step.ADMIN_PAGE, "/admin")
        self.act(Step.PROGRESS, "GET", f"{SCORING}/rounds/{SCENE.round}/state")
        self.act(Step.RANKINGS, "GET", RANKINGS)
        group = {"group": f"level={self.chance.choice(GROUPS)}"}
        version = f"{RANKINGS}/{SCENE.ranked_version}"
        self.think(0.3, 1.0)
        self.look(Step.RANKING_PAGE, f"/panels/{SCENE.ranked}/rankings/{SCENE.ranked_version}?{urlencode(group)}")
        for wanted in (group, {**group, "outcome": "selected"}, {**group, "text": "项目1"}):
            self.think(0.3, 1.0)
            self.act(Step.RANKING_ROWS, "GET", f"{version}/rows?{urlencode(wanted)}")
        self.act(Step.RANKING_CSV, "GET", f"{version}.csv?{urlencode(group)}")
        self.act(Step.RANKING_XLSX, "GET", f"{version}.xlsx?{urlencode(group)}")
