"""What the system tests do with a platform: load rounds, send ballots until they are acknowledged, read the ledger.

Voters here hold tokens made with the home's own keys, so that hundreds can vote within seconds; signing in as people
do is tested beside it, with `Citizen`.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.cli import supervisor
from services.cli.audit import violations
from services.cli.client import Client
from services.cli.people import REGISTRY, SCORING, VOTING, Citizen
from services.cli.supervisor import Platform
from services.shared.keys import derive
from services.shared.settings import read_secret
from services.voting.devices import COOKIE, Devices
from services.voting.voter_token import VoterToken, VoterTokens
from tests.support.waiting import wait_until

PROJECT = Path(__file__).parents[2]
SERVICES = ("registry", "voting", "scoring")
RULES = """schema = 1
[round]
id = "{id}"
title = "小评选"
timezone = "Asia/Shanghai"
[windows]
voting = {{ opens = 2021-01-01T00:00:00+08:00, closes = 2021-01-02T00:00:00+08:00 }}
commit_grace_s = {grace_s}
[ballot]
choices_min = 1
choices_max = 3
held_shown_after_h = 0
[combination]
votes = "1"
experts = "0"
decimals = 0
"""
CANDIDATES = "candidate,title,unit,channel,category,level\n" + "".join(
    f"c{k},项目{k},单位{k},区{k % 2},culture,general\n" for k in range(1, 5)
)


def own_environment(home: Path, **more: str) -> dict[str, str]:
    """For a process that finds servers by the platform's file alone; what else was set for these tests stays set."""
    names = (name for name in os.environ if not name.endswith("_URL") or name == "VOTING_IDENTITY_URL")
    return {name: os.environ[name] for name in names} | {"PINGXUAN_HOME": str(home), "PYTHONPATH": str(PROJECT)} | more


def use_own_ports(environment: pytest.MonkeyPatch) -> None:
    """Ports of our own: one that is free while a service is down would be taken by another platform of this machine."""
    base = random.SystemRandom().randrange(20_000, 31_000)
    for offset, name in ((0, "SERVICE_PORTS"), (3, "METRICS_PORTS")):
        ports = {service: base + offset + place for place, service in enumerate(SERVICES)}
        environment.setattr(supervisor, name, ports)
    environment.setattr(supervisor, "PORT", base + 6)
    environment.setattr(supervisor, "PLATFORM_METRICS_PORT", base + 7)


@dataclass
class Voter:
    """One person with one ballot, repeated under its own id until it is answered."""

    token: str
    choices: list[str]
    ballot_id: str = field(default_factory=lambda: str(uuid4()))
    receipt: str = ""
    tries: int = 0
    device: str = ""

    async def send(self, http: httpx.AsyncClient, round_id: str) -> httpx.Response | None:
        """One try; None where no answer came."""
        self.tries += 1
        try:
            answer = await http.post(
                f"{VOTING}/rounds/{round_id}/ballots",
                json={"ballot_id": self.ballot_id, "choices": self.choices},
                headers={"authorization": f"Bearer {self.token}", **self._device_header()},
            )
        except httpx.HTTPError:
            return None
        if answer.status_code in (200, 201):
            body = answer.json()
            assert body["ballot_id"] == self.ballot_id
            # A repeat tells the receipt that was told before.
            assert self.receipt in ("", body["receipt"])
            self.receipt = body["receipt"]
        return answer

    def _device_header(self) -> dict[str, str]:
        return {"cookie": f"{COOKIE}={self.device}"} if self.device else {}

    async def insist(self, http: httpx.AsyncClient, round_id: str, within_s: float = 40) -> None:
        """Send until acknowledged; whatever else is answered meanwhile must be a 5xx."""
        deadline = time.monotonic() + within_s
        while not self.receipt:
            answer = await self.send(http, round_id)
            if answer is not None and not self.receipt:
                assert answer.status_code >= 500, answer.text
            assert time.monotonic() < deadline, "the ballot was not acknowledged in time"
            if not self.receipt:
                await asyncio.sleep(0.1)


@dataclass
class Town:
    """Everybody outside the platform, and an auditor who may look into its databases."""

    platform: Platform
    http: httpx.AsyncClient

    def citizen(self, round_id: str) -> Citizen:
        return Citizen(self.http, round_id)

    async def operate(self, method: str, path: str, body: Any = None, actor: str = "platform") -> httpx.Response:
        """A call as an account, signed with the home's key as the command line does it."""
        headers = {"authorization": f"Bearer {Client(self.platform.environment).token(actor)}"}
        return await self.http.request(method, path, json=body, headers=headers)

    async def load_round(self, round_id: str, open_for_s: int = 600, grace_s: int = 1, files: Any = None) -> None:
        """Freeze a round and wait until it is open everywhere."""
        await self.freeze_round(round_id, open_for_s, grace_s, files)
        await self.wait_until_open(round_id)

    async def freeze_round(self, round_id: str, open_for_s: int = 600, grace_s: int = 1, files: Any = None) -> None:
        made = files or {"rules.toml": RULES.format(id=round_id, grace_s=grace_s), "candidates.csv": CANDIDATES}
        answer = await self.operate("POST", f"{REGISTRY}/rounds", {"files": made, "open_for_s": open_for_s})
        assert answer.status_code == 201, answer.text

    async def wait_until_open(self, round_id: str) -> None:
        async def known() -> bool:
            scoring = await self.http.get(f"{SCORING}/rounds/{round_id}")
            return scoring.status_code == 200 and await self.state(round_id) == "open"

        await wait_until(known, 30, f"{round_id} is open and known to everybody", 0.1)

    async def state(self, round_id: str) -> str:
        answer = await self.http.get(f"{VOTING}/rounds/{round_id}/results")
        return str(answer.json()["state"]) if answer.status_code == 200 else ""

    async def round_number(self, round_id: str) -> int:
        (row,) = await self.ask("voting", "SELECT number FROM rounds WHERE round = $1", round_id)
        return int(row["number"])

    async def voters(self, round_id: str, choices: Sequence[str], count: int) -> list[Voter]:
        """So many people who have signed in."""
        secret = read_secret(self.platform.environment["VOTING_MASTER_SECRET_FILE"], "the master secret")
        tokens, number = VoterTokens(derive(secret, "voter-tokens")), await self.round_number(round_id)
        expires = int(time.time()) + 3000
        return [
            Voter(tokens.sign(VoterToken(number, os.urandom(16), 0, "sms", "", expires)), list(choices))
            for _ in range(count)
        ]

    async def share_a_device(self, round_id: str, count: int) -> tuple[list[Voter], list[str]]:
        """(who voted, the reasons of the others) when so many people vote one after the other on one phone."""
        secret = read_secret(self.platform.environment["VOTING_MASTER_SECRET_FILE"], "the master secret")
        device, voters, reasons = Devices(derive(secret, "device-cookies")).make(), [], []
        for voter in await self.voters(round_id, ["c2"], count):
            voter.device = device
            answer = await voter.send(self.http, round_id)
            assert answer is not None
            if voter.receipt:
                voters.append(voter)
            else:
                reasons.append(str(answer.json()["reason"]))
        return voters, reasons

    async def metrics(self, service: str) -> dict[str, float]:
        """A service's plain counters and gauges, whole over its workers."""
        text = (await self.http.get(self.platform.urls[f"{service}_metrics"])).text
        return {
            sample.name: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if not sample.labels
        }

    async def vote(self, round_id: str, choices: Sequence[str], count: int) -> list[Voter]:
        """So many acknowledged ballots."""
        voters = await self.voters(round_id, choices, count)
        await asyncio.gather(*(voter.insist(self.http, round_id) for voter in voters))
        return voters

    async def vote_through(self, round_id: str, fault: Callable[[], object], count: int = 60) -> list[Voter]:
        """Ballots arrive one every 25 ms; after the first third the fault happens. All are acknowledged in the end."""
        voters = await self.voters(round_id, ["c1", "c3"], count)
        tasks: list[asyncio.Task[None]] = []
        for place, voter in enumerate(voters):
            if place == count // 3:
                outcome = fault()
                if asyncio.iscoroutine(outcome):
                    tasks.append(asyncio.create_task(outcome))
            tasks.append(asyncio.create_task(voter.insist(self.http, round_id)))
            await asyncio.sleep(0.025)  # the pace of arrival, not a wait for something
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return voters

    async def ask(self, service: str, query: str, *arguments: object) -> list[asyncpg.Record]:
        """A query on a service's database."""
        connection = await asyncpg.connect(self.platform.environment[f"{service.upper()}_DATABASE_URL"], timeout=10)
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    async def ledger(self, round_id: str) -> dict[str, tuple[list[int], int]]:
        """Choices by ballot id, with the number of rows that stand under it."""
        rows = await self.ask(
            "voting",
            "SELECT ballot_id, min(choices) AS choices, count(*) AS rows FROM ballots WHERE round_number ="
            " (SELECT number FROM rounds WHERE round = $1) GROUP BY ballot_id",
            round_id,
        )
        return {str(row["ballot_id"]): (sorted(row["choices"]), row["rows"]) for row in rows}

    async def numbers(self, round_id: str) -> dict[str, int]:
        """Candidates' numbers, which were drawn by lot."""
        facts = (await self.http.get(f"{VOTING}/rounds/{round_id}")).json()
        return {card["candidate"]: card["number"] for card in facts["candidates"]}

    async def check_recorded(self, round_id: str, voters: Sequence[Voter]) -> None:
        """Every acknowledged ballot stands once, with its choices, and its receipt is known."""
        ledger, numbers = await self.ledger(round_id), await self.numbers(round_id)
        for voter in voters:
            assert voter.receipt
            assert ledger[voter.ballot_id] == (sorted(numbers[choice] for choice in voter.choices), 1)
        receipt = (await self.http.get(f"{VOTING}/receipts/{voters[-1].receipt}")).json()
        assert receipt["state"] == "recorded"

    async def check_audit(self) -> None:
        """Every service's invariants hold."""
        urls = {name: self.platform.environment[f"{name.upper()}_DATABASE_URL"] for name in SERVICES}
        assert await violations(urls) == []

    async def command(self, *arguments: str, stdin: str = "", **variables: str) -> tuple[int, str, str]:
        """(exit code, standard output, standard error) of `pingxuan …` as an operator runs it, away from the tree."""
        home = self.platform.home.folder
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.cli.main", *arguments, env=own_environment(home, **variables), cwd=home,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, error = await asyncio.wait_for(process.communicate(stdin.encode()), 120)
        assert process.returncode is not None
        assert "Traceback" not in error.decode()
        return process.returncode, out.decode(), error.decode()
