"""The scene of a load run: a round whose window fits the shape, staff accounts, and a finished round with its ranking.

Everything is made through the public interfaces of a running platform, as administrators would. What the people's
process must know is one struct in a file that only its owner may read. Called by `run.py`.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import tomlkit

from loadtests.load.shapes import Shape, window
from services.cli.client import Client
from services.cli.embedded.home import PROJECT_FOLDER, PlatformError
from services.cli.people import REGISTRY, SCORING, VOTING, Citizen, Member, no_cookies, valid_choices
from services.cli.rounds import read_folder
from services.cli.supervisor import Platform

SCENE_VARIABLE = "PINGXUAN_LOAD_SCENE"
KUNMING = PROJECT_FOLDER / "deploy" / "rounds" / "kunming-2021"
GROUPS = ("general", "key", "major")
EXPERTS, ADMINISTRATORS = 4, 2
RANKED_CANDIDATES, RANKED_VOTERS, RANKED_OPEN_S = 60, 16, 4
# In a trial that measures nothing: fewer, whose statistics cost next to nothing.
RANKED_CANDIDATES_TRIAL = 18
# From the freezing of the round until the first person comes: every service hears of it meanwhile.
LEAD_S = 5.0
_WITHIN_S, ASKED_AT_ONCE, TRIES_MAX, TRY_AGAIN_S = 180.0, 12, 8, 0.5
# A run that measures waits until the finished round's statistics are made: arithmetic that would disturb its beginning.
MEASURED_FROM_S = 60.0
# (opens, closes) in seconds since 1970, by the window's name.
Windows = dict[str, tuple[float, float]]

_RANKED_RULES = """schema = 1
[round]
id = "{id}"
title = "往届评选"
timezone = "Asia/Shanghai"
[windows]
voting = {{ opens = 2021-01-01T00:00:00+08:00, closes = 2021-01-02T00:00:00+08:00 }}
commit_grace_s = 1
[ballot]
choices_min = 1
choices_max = 9
[groups]
by = ["level"]
[votes]
transform = "share"
decimals = 2
[combination]
votes = "1"
experts = "0"
decimals = 2
[selection]
places = {{ major = 3, key = 10, general = 10 }}
reserve = 2
"""


class Account(msgspec.Struct, frozen=True):
    """A member of staff of this run."""

    username: str
    password: str


class Order(msgspec.Struct, frozen=True):
    """What was asked for: the shape, how long, and by how much people's pauses shrink or grow.

    `people_max` are the citizens and bots there are at once, at most; the few experts and administrators come on top.
    """

    shape: Shape
    people_max: int
    seconds: float
    think: float = 1.0
    watch_port: int = 0


class Scene(msgspec.Struct, frozen=True):
    """What the people know; times in seconds since 1970. `old_token` was good for the finished round only."""

    order: Order
    origin: str
    round: str
    starts_at: float
    opens_at: float
    closes_at: float
    experts: list[Account]
    administrators: list[Account]
    ranked: str
    ranked_version: int
    old_token: str
    record_file: str

    def write(self, path: Path) -> None:
        """Whole or not at all: the people's process waits for it."""
        part = path.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_bytes(msgspec.json.encode(self))
        part.replace(path)

    @staticmethod
    def read(path: Path) -> Scene:
        return msgspec.json.decode(path.read_bytes(), type=Scene)


async def prepare(platform: Platform, order: Order, record_file: Path) -> Scene:
    """Make everything; raises PlatformError, one sentence, for what did not come about in time."""
    name = f"load-{secrets.token_hex(3)}"
    async with httpx.AsyncClient(
        base_url=platform.urls["origin"], timeout=30, trust_env=False, cookies=no_cookies(),
        headers={"user-agent": "pingxuan-load"},
    ) as http:  # fmt: skip
        maker = _Maker(Client(platform.environment), http, name)
        measured = order.seconds >= MEASURED_FROM_S
        candidates = RANKED_CANDIDATES if measured else RANKED_CANDIDATES_TRIAL
        ranked, (experts, administrators) = await asyncio.gather(maker.open_ranked(candidates), maker.accounts())
        await maker.signed_in_everywhere(ranked, [*experts, *administrators])
        version, old_token = await maker.rank(ranked, administrators)
        if measured:
            await maker.statistics_made(ranked, version)
        starts_at = float(int(time.time() + LEAD_S))
        opens_at, closes_at = window(order.shape, starts_at, order.seconds)
        scoring = (starts_at - 1, starts_at + order.seconds + 60)
        round_id = await maker.freeze({"voting": (opens_at, closes_at), "scoring": scoring})
    return Scene(
        order, platform.urls["origin"], round_id, starts_at, opens_at, closes_at, experts, administrators, ranked,
        version, old_token, str(record_file),
    )  # fmt: skip


def windows_moved(rules: str, round_id: str, windows: Windows) -> str:
    """rules.toml under another id and with other windows, in whole seconds."""
    document: Any = tomlkit.parse(rules)
    document["round"]["id"] = round_id
    for name, (opens, closes) in windows.items():
        document["windows"][name]["opens"] = datetime.fromtimestamp(int(opens), UTC)
        document["windows"][name]["closes"] = datetime.fromtimestamp(int(closes), UTC)
    return tomlkit.dumps(document)


class _Maker:
    """The administrators behind a scene."""

    def __init__(self, client: Client, http: httpx.AsyncClient, name: str) -> None:
        self._client, self._http, self._name, self._old_token = client, http, name, ""

    async def _operate(self, method: str, path: str, body: Any = None, actor: str = "platform") -> dict[str, Any]:
        for _ in range(TRIES_MAX):
            headers = {"authorization": f"Bearer {self._client.token(actor)}"}
            answer = await self._http.request(method, path, json=body, headers=headers)
            if answer.status_code != 401:
                break
            # An account as new as these is not known everywhere at once.
            await asyncio.sleep(TRY_AGAIN_S)
        if answer.status_code >= 400:
            raise PlatformError(f"the scene could not be made, {method} {path} was refused: {answer.text[:300]}")
        document: dict[str, Any] = answer.json()
        return document

    async def accounts(self) -> tuple[list[Account], list[Account]]:
        """Experts and administrators with passwords of their own."""
        experts = [await self._account("expert", number) for number in range(EXPERTS)]
        return experts, [await self._account("administrator", number) for number in range(ADMINISTRATORS)]

    async def _account(self, role: str, number: int) -> Account:
        account = Account(f"{self._name}-{role}{number + 1}", secrets.token_urlsafe(15))
        form = {"username": account.username, "name": f"压测{number + 1}", "roles": [role]}
        await self._operate("POST", f"{REGISTRY}/staff", {**form, "password": account.password})
        return account

    async def open_ranked(self, candidates: int) -> str:
        """The round that will be finished: many candidates in three groups, open for seconds."""
        round_id = f"{self._name}-ranked"
        rows = [
            f"R{k:02d},往届项目{k},单位{k},区{k % 7},culture,{GROUPS[k % len(GROUPS)]}"
            for k in range(1, candidates + 1)
        ]
        table = "\n".join(["candidate,title,unit,channel,category,level", *rows, ""])
        files = {"rules.toml": _RANKED_RULES.format(id=round_id), "candidates.csv": table}
        await self._operate("POST", f"{REGISTRY}/rounds", {"files": files, "open_for_s": RANKED_OPEN_S})
        await self._until("the first round opens", lambda: self._is(round_id, "open"))
        facts = (await self._http.get(f"{VOTING}/rounds/{round_id}")).json()
        tokens = await asyncio.gather(*(self._vote(round_id, facts) for _ in range(RANKED_VOTERS)))
        self._old_token = next((token for token in tokens if token), "")
        return round_id

    async def _vote(self, round_id: str, facts: dict[str, Any]) -> str:
        """The token of somebody who voted; empty for whom came to a worker that did not know the round yet."""
        voter = Citizen(self._http, round_id)
        try:
            await voter.sign_in()
        except httpx.HTTPStatusError:
            return ""
        await voter.vote(valid_choices(facts, secrets.SystemRandom()))
        return voter.token

    async def rank(self, round_id: str, administrators: list[Account]) -> tuple[int, str]:
        """(version of its published ranking, a voter's token that is of no use any more)."""
        rankings = f"{SCORING}/rounds/{round_id}/rankings"
        await self._until("the first round is sealed", lambda: self._is_countable(round_id))
        first, second = (account.username for account in administrators[:2])
        version = int((await self._operate("POST", rankings, {}, first))["version"])
        await self._operate("POST", f"{rankings}/{version}/confirmations", {}, second)
        return version, self._old_token

    async def statistics_made(self, round_id: str, version: int) -> None:
        path = f"{SCORING}/rounds/{round_id}/rankings/{version}/statistics"

        async def made() -> bool:
            return (await self._http.get(path)).status_code == 200

        await self._until("the first round's statistics are made", made)

    async def _is_countable(self, round_id: str) -> bool:
        state = await self._operate("GET", f"{SCORING}/rounds/{round_id}/state")
        return state["tally"] is not None

    async def freeze(self, windows: Windows) -> str:
        """The shipped round of a city with windows that fit; any expert account may score in it."""
        files = read_folder(KUNMING)
        files.pop("experts.toml", None)
        files["rules.toml"] = windows_moved(files["rules.toml"], self._name, windows)
        await self._operate("POST", f"{REGISTRY}/rounds", {"files": files})
        await self._until("every service knows the round", lambda: self._is_known(self._name))
        return self._name

    async def signed_in_everywhere(self, round_id: str, accounts: list[Account]) -> None:
        """Every account is known where it will work."""
        for account in accounts:
            member = Member(self._http, account.username, account.password)
            await member.sign_in()
            path = f"{SCORING}/rounds/{round_id}/" + ("sheets" if "expert" in account.username else "state")

            async def known(member: Member = member, path: str = path) -> bool:
                return (await member.call("GET", path)).status_code == 200

            await self._until(f"scoring knows {account.username}", known)

    async def _is(self, round_id: str, state: str) -> bool:
        answers = await self._many(f"{VOTING}/rounds/{round_id}/results")
        return all(answer.status_code == 200 and answer.json()["state"] == state for answer in answers)

    async def _is_known(self, round_id: str) -> bool:
        answers = [*await self._many(f"{VOTING}/rounds/{round_id}"), *await self._many(f"{SCORING}/rounds/{round_id}")]
        return all(answer.status_code == 200 for answer in answers)

    async def _many(self, path: str) -> list[httpx.Response]:
        """The same question over several connections at once: they end at different workers."""
        return await asyncio.gather(*(self._http.get(path) for _ in range(ASKED_AT_ONCE)))

    async def _until(self, what: str, look: Callable[[], Awaitable[bool]]) -> None:
        deadline = time.monotonic() + _WITHIN_S
        while not await look():
            if time.monotonic() > deadline:
                raise PlatformError(f"the scene waited in vain for this: {what}")
            await asyncio.sleep(0.1)
