"""`make demo`: the platform with a finished round, an open one, and people using both through the public interface.

Everything is done as people would do it: accounts by an administrator, ballots by citizens with codes, marks by
experts, holds and their decisions by two people. A second start finds the data and only goes on.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import httpx

from services.cli.client import Client
from services.cli.demo_desks import APPLICANTS, APPLYING, DISTRICT, OFFICE, Desks
from services.cli.embedded.home import Home, PlatformError
from services.cli.people import REGISTRY, SCORING, VOTING, Citizen, Member, no_cookies, valid_choices
from services.cli.rounds import read_folder
from services.cli.supervisor import Platform
from services.cli.up import CannotRun, ready_message, run_until_stopped

ROUNDS = Path(__file__).parents[2] / "deploy" / "rounds"
FINISHED, OPEN = "kunming-2020-pilot", "kunming-2021"
FINISHED_OPEN_S, OPEN_S = 24, 12 * 3600
PASSWORD = "pingxuan-demo"
ADMINISTRATORS = {"admin1": "王建国", "admin2": "李慧敏"}
EXPERTS = [f"expert{k}" for k in range(1, 10)]
CITIZENS_FINISHED, CITIZENS_OPEN = 120, 400
CITIZENS_FIRST = 8
CITIZEN_EVERY_S = 2.5
_AT_ONCE = 6


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="The one origin.  [default: 8000, else free]")
@click.option("--home", type=click.Path(file_okay=False), help="Data folder.  [default: PINGXUAN_HOME or ./.pingxuan]")
def demo(port: int | None, home: str | None) -> None:
    """The whole platform with two rounds and people using it; Ctrl-C stops all of it, the data stays.

    \b
    Example:
      pingxuan demo --port 8000
    """
    platform = Platform(Home.at(home), port=port)
    try:
        asyncio.run(run_until_stopped(platform, lambda: _play(platform)))
    except PlatformError as error:
        raise CannotRun(str(error)) from None
    except httpx.HTTPError as error:
        raise CannotRun(f"a step of the demo was refused ({error}): start it again, or forget it with --home") from None


async def _play(platform: Platform) -> None:
    started = time.monotonic()
    async with platform, _http(platform) as http:
        await platform.ready()
        demonstration = Demonstration(Client(platform.environment), http)
        await demonstration.prepare()
        click.echo(ready_message(platform, time.monotonic() - started))
        click.echo(_sign_ins(platform.urls["origin"]))
        await demonstration.go_on()


def _http(platform: Platform) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=platform.urls["origin"], timeout=30, trust_env=False, cookies=no_cookies(),
        headers={"user-agent": "pingxuan-demo"},
    )  # fmt: skip


def _sign_ins(origin: str) -> str:
    names = ", ".join([*ADMINISTRATORS, *OFFICE, *APPLICANTS, "expert1 … expert9"])
    return (
        f"Demo sign-ins at {origin}/sign-in; the password of each is {PASSWORD}\n"
        f"  {names}\n"
        f"Citizens: any mobile number such as 13900001234; the code is shown by\n"
        f'  curl -s {origin}/dev/outbox -d \'{{"phone": "13900001234"}}\'\n'
        f"Finished round: {origin}/results/{FINISHED} and {origin}/notices/{FINISHED}\n"
        f"Open round:     {origin}/rounds/{OPEN}\n"
        f"Open call:      {origin}/apply/calls/{APPLYING}"
    )


def _step(text: str) -> None:
    click.echo(f"  · {text}")


class Demonstration:
    """What the people of the demo do; a step that was done in an earlier run is found and skipped."""

    def __init__(self, client: Client, http: httpx.AsyncClient) -> None:
        self._client, self._http = client, http
        self._chance = random.Random(20200908)  # noqa: S311 - pictures of a demo, not secrets
        self._experts = [Member(http, name, PASSWORD) for name in EXPERTS]
        self._desks = Desks(self._act, ROUNDS / OPEN, PASSWORD)

    async def prepare(self) -> None:
        """Accounts, the finished round, calls that are applied for, the open round."""
        await self._accounts()
        await asyncio.gather(self._finished_round(), self._applications())
        if await self._state(OPEN) is None:
            await self._load(OPEN, OPEN_S)
            await self._wait("the open round opens", lambda: self._is(OPEN, "open"), 10)
            _step(f"{OPEN} is open for voting and scoring")
            await self._office_of_round()

    async def _applications(self) -> None:
        """Calls with applications; a machine too slow for the short call's window shows less, and the demo goes on."""
        if await self._desks.known():
            return
        try:
            await self._desks.applications()
        except PlatformError as error:
            _step(str(error))
        else:
            _step(f"{APPLYING} takes applications; others are in preliminary review")

    async def _office_of_round(self) -> None:
        """What the office has to do in the open round: a pool of experts, a station, holds."""
        await self._desks.panel(OPEN, EXPERTS)
        await self._desks.station(OPEN)
        facts = (await self._http.get(f"{VOTING}/rounds/{OPEN}")).json()
        votes = await asyncio.gather(*(self._one_vote(OPEN, facts) for _ in range(CITIZENS_FIRST)))
        await self._desks.holds(OPEN, [receipt for receipt in votes if receipt])
        _step("ballots are held and wait for a decision")

    async def go_on(self) -> None:
        """Some hundred citizens vote slowly and a few experts score, until they are done or the demo ends."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._trickle_of_citizens())
            for member in self._experts[:4]:
                group.create_task(self._slow_expert(member))
        await asyncio.Event().wait()

    async def _act(self, method: str, path: str, body: Any = None, actor: str = "platform") -> httpx.Response:
        headers = {"authorization": f"Bearer {self._client.token(actor)}"} if actor else {}
        return await self._http.request(method, path, json=body, headers=headers)

    async def _state(self, round_id: str) -> str | None:
        answer = await self._http.get(f"{VOTING}/rounds/{round_id}/results")
        return str(answer.json()["state"]) if answer.status_code == 200 else None

    async def _accounts(self) -> None:
        listed = (await self._act("GET", f"{REGISTRY}/staff")).raise_for_status().json()
        known = {account["username"] for account in listed["staff"]}
        wanted = [(name, title, "administrator") for name, title in ADMINISTRATORS.items()]
        wanted += [(username, *told) for username, told in OFFICE.items()]
        wanted += [(name, f"评审专家{k}", "expert") for k, name in enumerate(EXPERTS, 1)]
        for username, name, role in wanted:
            if username not in known:
                form = {"username": username, "name": name, "roles": [role], "password": PASSWORD}
                form |= {"channel": DISTRICT} if role == "channel_officer" else {}
                (await self._act("POST", f"{REGISTRY}/staff", form)).raise_for_status()
        _step(f"{len(wanted)} staff accounts")

    async def _load(self, round_id: str, open_for_s: int) -> None:
        body = {"files": read_folder(ROUNDS / round_id), "open_for_s": open_for_s}
        (await self._act("POST", f"{REGISTRY}/rounds", body)).raise_for_status()
        await self._wait(f"every service knows {round_id}", lambda: self._known(round_id), 30)

    async def _known(self, round_id: str) -> bool:
        answers = [await self._http.get(f"{prefix}/rounds/{round_id}") for prefix in (VOTING, SCORING)]
        return all(answer.status_code == 200 for answer in answers)

    async def _wait(self, what: str, look: Any, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not await look():
            if time.monotonic() > deadline:
                raise PlatformError(f"the demo waited in vain for this: {what}")
            await asyncio.sleep(0.25)

    async def _finished_round(self) -> None:
        state = await self._state(FINISHED)
        if state == "published":
            return
        if state is None:
            await self._load(FINISHED, FINISHED_OPEN_S)
            await self._wait("the finished round opens", lambda: self._is(FINISHED, "open"), 10)
            _step(f"{FINISHED} is open for {FINISHED_OPEN_S} s")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._vote_and_hold())
            group.create_task(self._score_all())
        await self._publish()

    async def _is(self, round_id: str, state: str) -> bool:
        return await self._state(round_id) == state

    async def _vote_and_hold(self) -> None:
        """Citizens vote for most of the window; some ballots are held, and excluded or restored by two people."""
        facts = (await self._http.get(f"{VOTING}/rounds/{FINISHED}")).json()
        receipts: list[str] = []
        waiting = asyncio.Semaphore(_AT_ONCE)
        until = time.monotonic() + FINISHED_OPEN_S * 0.6

        async def vote() -> None:
            async with waiting:
                if time.monotonic() < until and (receipt := await self._one_vote(FINISHED, facts)):
                    receipts.append(receipt)

        await asyncio.gather(*(vote() for _ in range(CITIZENS_FINISHED)))
        _step(f"{len(receipts)} citizens voted")
        if len(receipts) > 12:
            await self._hold(receipts[:6], "rented_accounts", "同一中介账号在群内兑付现金，有付款截图。", "exclude")
            await self._hold(
                receipts[6:9], "unusual_pattern", "三张选票间隔相同，经核实为同一社区集中投票。", "restore"
            )

    async def _one_vote(self, round_id: str, facts: dict[str, Any]) -> str:
        """A citizen's whole way; the receipt, or nothing where the window closed meanwhile."""
        citizen = Citizen(self._http, round_id)
        with suppress(httpx.HTTPError):
            await citizen.sign_in()
            answer = await citizen.vote(valid_choices(facts, self._chance))
            if answer.status_code == 201:
                return str(answer.json()["receipt"])
        return ""

    async def _hold(self, receipts: list[str], reason: str, evidence: str, decision: str) -> None:
        holds = f"{VOTING}/rounds/{FINISHED}/holds"
        form = {"ballots": receipts, "reason": reason, "evidence": evidence}
        hold = (await self._act("POST", holds, form, "admin1")).raise_for_status().json()["hold"]
        decided = {"decision": decision, "reason": "两人复核证据后决定"}
        (await self._act("POST", f"{holds}/{hold}/decisions", decided, "admin1")).raise_for_status()
        (await self._act("POST", f"{holds}/{hold}/confirmations", {}, "admin2")).raise_for_status()
        _step(f"{len(receipts)} ballots held and {decision}d by two people")

    async def _score_all(self) -> None:
        """Seven experts score every candidate of the finished round."""
        facts = (await self._http.get(f"{VOTING}/rounds/{FINISHED}")).json()
        panel = self._experts[:7]
        for card in facts["candidates"]:
            base = self._chance.randint(68, 92)
            await asyncio.gather(*(self._score(member, FINISHED, card["candidate"], base) for member in panel))
        _step(f"{len(panel)} experts scored {len(facts['candidates'])} candidates")

    async def _score(self, member: Member, round_id: str, candidate: str, base: int) -> None:
        criteria = ("innovation", "exemplarity", "practicality", "breadth", "effectiveness")
        marks = {name: str(max(0, min(100, base + self._chance.randint(-8, 8)))) for name in criteria}
        # A sheet that an earlier run submitted, or a window that closed, is no reason to stop a demo.
        with suppress(httpx.HTTPStatusError):
            await member.score(round_id, candidate, marks)

    async def _publish(self) -> None:
        await self._wait("the tally of the finished round", self._sealed, FINISHED_OPEN_S + 30)
        _step("voting closed, the tally is sealed")
        rankings = f"{SCORING}/rounds/{FINISHED}/rankings"
        await self._wait("scoring closes", self._scoring_over, FINISHED_OPEN_S + 30)
        proposed = (await self._act("POST", rankings, {}, "admin1")).raise_for_status().json()
        confirmed = f"{rankings}/{proposed['version']}/confirmations"
        (await self._act("POST", confirmed, {}, "admin2")).raise_for_status()
        await self._wait("the notice", lambda: self._is(FINISHED, "published"), 30)
        _step("two administrators published the ranking; the notice is public")

    async def _scoring_over(self) -> bool:
        state = (await self._act("GET", f"{SCORING}/rounds/{FINISHED}/state")).json()
        closes = (state.get("window") or {}).get("closes")
        return closes is None or datetime.now(UTC) >= datetime.fromisoformat(closes)

    async def _sealed(self) -> bool:
        state = (await self._act("GET", f"{SCORING}/rounds/{FINISHED}/state")).json()
        return state.get("tally") is not None

    async def _trickle_of_citizens(self) -> None:
        answer = await self._http.get(f"{VOTING}/rounds/{OPEN}")
        for _ in range(CITIZENS_OPEN):
            if await self._state(OPEN) != "open":
                return
            await self._one_vote(OPEN, answer.json())
            await asyncio.sleep(CITIZEN_EVERY_S * self._chance.uniform(0.3, 1.7))

    async def _slow_expert(self, member: Member) -> None:
        facts = (await self._http.get(f"{VOTING}/rounds/{OPEN}")).json()
        cards = facts["candidates"]
        for card in self._chance.sample(cards, len(cards) // 2):
            with suppress(httpx.HTTPError):
                await self._score(member, OPEN, card["candidate"], self._chance.randint(62, 93))
            await asyncio.sleep(self._chance.uniform(8, 25))
