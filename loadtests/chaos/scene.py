"""One run on a stage: its round, its people, its recording, and in the end the evidence that the checker judges.

A schedule (schedules.py) plays the voting; `finish` closes the round, waits for its seal and gathers what the ledger,
the tally, scoring and the receipts say. Everything random comes from the run's own seed.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import httpx

from loadtests.chaos.checker import RECORDING, RECOVERY_S_MAX, Evidence, Finding, Row, Tally, check, store
from loadtests.chaos.crowd import CANDIDATES, Crowd
from loadtests.chaos.recorder import Outcome, Recorder, read
from loadtests.chaos.stage import Stage
from services.cli.people import REGISTRY, SCORING, VOTING
from services.shared.keys import derive
from services.shared.settings import read_secret
from services.voting.receipts import receipt_text
from services.voting.voter_token import VoterTokens

LONG_OPEN_S = 3600
GRACE_S = 2
RECOVERY_GIVEN_UP_S = 40.0
RECEIPTS_ASKED = 5
# No worker rests for longer before it looks for rounds again; which of them answers a question is the kernel's choice.
WORKERS_LOOK_S = 1.5
MADE = bytes(8)
RULES = """schema = 1
[round]
id = "{id}"
title = "故障演练"
timezone = "Asia/Shanghai"
[windows]
voting = {{ opens = {opens}, closes = {closes} }}
commit_grace_s = {grace_s}
[ballot]
choices_min = 1
choices_max = 3
[combination]
votes = "1"
experts = "0"
decimals = 0
"""
FILE = "candidate,title,unit,channel,category,level\n" + "".join(
    f"{name},项目{name},单位{name},区,culture,general\n" for name in CANDIDATES
)
LONG_AGO = "2021-01-01T00:00:00+08:00", "2021-01-02T00:00:00+08:00"

Fault = Callable[["Scene"], Awaitable[None]]


class Scene:
    """An async context manager around one run; `people` scales how many vote."""

    def __init__(self, stage: Stage, schedule: str, seed: int, *, may_refuse: bool, people: int) -> None:
        self.stage, self.schedule, self.seed, self.people = stage, schedule, seed, people
        self.chance = random.Random(f"{schedule}/{seed}")
        self.round = f"{schedule}-{seed}".replace("_", "-")
        self.folder: Path = stage.folder / self.round
        self.recovery_s: float | None = None
        self.controls: list[str] = []
        # Invariants that this very fault may break, because the database's own clock was wrong.
        self.audit_excused: frozenset[str] = frozenset()
        # Rows that this run wrote into the ledger itself, for the first candidate, under keys that begin with zeros.
        self.made_rows = 0
        self._may_refuse = may_refuse
        self.window = (0.0, 0.0)
        # Set where the window of this round opens only after the run: there is no seal to wait for.
        self.ends_unopened = False
        self.number = 0
        self.crowd: Crowd
        self.recorder: Recorder

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.recorder = await Recorder(self.folder / RECORDING).__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.number:
            await self.crowd.close()
        await self.recorder.__aexit__(kind, error, trace)

    async def freeze(self, open_for_s: int | None, window: tuple[str, str] = LONG_AGO) -> None:
        """Freeze the round; it opens a second later for so long, or stands as `window` says."""
        rules = RULES.format(id=self.round, opens=window[0], closes=window[1], grace_s=GRACE_S)
        body: dict[str, Any] = {"files": {"rules.toml": rules, "candidates.csv": FILE}, "open_for_s": open_for_s}
        answer = await self.stage.operate("POST", f"{REGISTRY}/rounds", body)
        answer.raise_for_status()

    async def know(self, within_s: float = 20.0) -> None:
        """Wait until voting and scoring know the round; then there is a crowd."""
        found = await self.until(self._facts, within_s, "voting knows the round")
        opens, closes = (datetime.fromisoformat(found["windows"]["voting"][name]) for name in ("opens", "closes"))
        self.window = (opens.timestamp(), closes.timestamp())
        await self.until(self._scoring_knows, within_s, "scoring knows the round")
        await asyncio.sleep(WORKERS_LOOK_S)
        async with self.stage.database("voting") as connection:
            self.number = await connection.fetchval("SELECT number FROM rounds WHERE round = $1", self.round)
        environment = self.stage.platform.environment
        secret = read_secret(environment["VOTING_MASTER_SECRET_FILE"], "VOTING_MASTER_SECRET_FILE")
        url = f"http://127.0.0.1:{self.stage.port}"
        tokens = VoterTokens(derive(secret, "voter-tokens"))
        self.crowd = Crowd(url, self.round, self.number, tokens, self.recorder, self.chance, self.stage.patience)

    async def freeze_patiently(self) -> None:
        """Freeze although the registry may die meanwhile: again, until it tells of the round."""
        async with asyncio.timeout(30):
            while True:
                with suppress(httpx.HTTPError):
                    await self.freeze(LONG_OPEN_S)
                with suppress(httpx.HTTPError):
                    if (await self.stage.ask(f"{REGISTRY}/rounds/{self.round}")).status_code == 200:
                        return
                await asyncio.sleep(0.2)

    async def open(self, open_for_s: int = LONG_OPEN_S) -> None:
        """A round that is open."""
        await self.freeze(open_for_s)
        await self.know_open()

    async def know_open(self) -> None:
        """Wait until everybody knows the round and it is open."""
        await self.know()
        await self.until(lambda: self.is_in("open"), 20, "voting is open")

    async def _facts(self) -> dict[str, Any] | None:
        with suppress(httpx.HTTPError):
            answer = await self.stage.ask(f"{VOTING}/rounds/{self.round}")
            if answer.status_code == 200:
                return dict(answer.json())
        return None

    async def _scoring_knows(self) -> bool:
        with suppress(httpx.HTTPError):
            return (await self.stage.ask(f"{SCORING}/rounds/{self.round}")).status_code == 200
        return False

    async def number_of_first(self) -> int:
        """The number that was drawn for the first candidate."""
        cards = (await self._facts() or {})["candidates"]
        return int(next(card["number"] for card in cards if card["candidate"] == CANDIDATES[0]))

    async def is_in(self, *states: str) -> bool:
        with suppress(httpx.HTTPError):
            url = f"{self.stage.platform.urls['voting']}{VOTING}/rounds/{self.round}/results"
            answer = await self.stage.afresh.get(url)
            return answer.status_code == 200 and answer.json()["state"] in states
        return False

    async def until(self, look: Callable[[], Awaitable[Any]], within_s: float, what: str) -> Any:
        """What `look` finds; raises TimeoutError."""
        deadline = time.monotonic() + within_s * self.stage.patience
        while not (found := await look()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.round}: not within {within_s:.0f} s: {what}")
            await asyncio.sleep(0.05)
        return found

    async def vote_through(self, fault: Fault, over_s: float = 2.5) -> None:
        """People arrive; among them the fault begins and ends; afterwards it is measured how soon all is well again."""
        arriving = asyncio.create_task(self.crowd.arrive(self.people, over_s / self.people))
        await asyncio.sleep(self.chance.uniform(0.2, 0.5) * over_s)
        try:
            await self.recorder.moment("the fault begins")
            await fault(self)
            await self.recover()
            await arriving
        finally:
            arriving.cancel()
            await asyncio.gather(arriving, return_exceptions=True)
        self.require_nobody_left()
        await self.crowd.repeat()

    def require_nobody_left(self) -> None:
        """Whoever insisted was answered in the end."""
        if left := self.crowd.left_alone():
            self.controls.append(f"{len(left)} people got no answer in all their patience")

    async def recover(self, healed_at: float | None = None, *, with_ballot: bool = True) -> None:
        """Note how long after a moment (now) a new ballot is recorded again and every service can work."""
        healed_at = healed_at or await self.recorder.moment("the fault ends")
        given_up_s = RECOVERY_GIVEN_UP_S * self.stage.patience
        deadline = time.monotonic() + given_up_s
        if with_ballot:
            await self.crowd.insist(self.crowd.newcomer("plain"), alone=True, patience_s=given_up_s)
        while time.monotonic() < deadline:
            if await self._is_ready():
                now = await self.recorder.moment("recovered")
                self.recovery_s = max(self.recovery_s or 0.0, round(now - healed_at, 3))
                return
            await asyncio.sleep(0.05)
        self.recovery_s = None

    async def _is_ready(self) -> bool:
        with suppress(httpx.HTTPError):
            answers = [await self.stage.ask(f"/api/{name}/v1/readyz") for name in ("voting", "registry", "scoring")]
            return all(answer.status_code == 200 for answer in answers)
        return False

    async def close(self) -> None:
        """End the window by hand where it is still open; returns once it is closed."""
        if self.window[1] > time.time():
            body = {"reason": "the run is over"}
            answer = await self.stage.operate("POST", f"{REGISTRY}/rounds/{self.round}/close", body)
            closes = answer.raise_for_status().json()["closed_early_at"]
            # Not from voting: a worker that has not heard of it yet would still tell the old window.
            self.window = (self.window[0], datetime.fromisoformat(closes).timestamp())
        await asyncio.sleep(max(0.0, self.window[1] - time.time()))
        await self.until(lambda: self.is_in("closed", "sealed", "published"), 20, "voting is closed")
        # A window that is ended by hand ends for each worker when it hears of that.
        await asyncio.sleep(WORKERS_LOOK_S)

    async def finish(self) -> list[Finding]:
        """Close, let latecomers try, wait for the seal, gather the evidence and judge it."""
        if not self.ends_unopened:
            await self.close()
            await self.crowd.come_late(2)
            await self.crowd.repeat(0.1)
            await self.until(lambda: self.is_in("sealed", "published"), 30, "the tally is sealed")
            await self.until(self._tally_followed, 20, "scoring takes up the tally")
        evidence = await self.evidence()
        store(self.folder, evidence)
        return check(read(self.folder / RECORDING), evidence)

    async def _tally_followed(self) -> bool:
        async with self.stage.database("scoring") as connection:
            return bool(await connection.fetchval("SELECT 1 FROM tallies WHERE round = $1", self.round))

    async def adopt(self, answer: httpx.Response, choices: list[str]) -> None:
        """Note, afterwards, a ballot that a citizen sent around the crowd: the ledger knows whose it is."""
        told = answer.raise_for_status().json()
        async with self.stage.database("voting") as connection:
            key: bytes = await connection.fetchval(
                "SELECT voter_key FROM ballots WHERE round_number = $1 AND ballot_id = $2", self.number,
                UUID(told["ballot_id"]),
            )  # fmt: skip
        number = await self.recorder.attempt(key.hex(), "own", told["ballot_id"], choices)
        await self.recorder.outcome(Outcome(number, 201, time.time(), "", told["receipt"], told["ballot_id"]))

    async def evidence(self) -> Evidence:
        """What ledger, tally, scoring and receipts say of this round."""
        cards = {card["number"]: card["candidate"] for card in (await self._facts() or {})["candidates"]}
        async with self.stage.database("voting") as connection:
            rows = [
                Row(
                    row["voter_key"].hex(), str(row["ballot_id"]), [cards[number] for number in row["choices"]],
                    receipt_text(row["receipt"]), row["received_at"].timestamp(),
                )
                for row in await connection.fetch(
                    "SELECT voter_key, ballot_id, choices, receipt, received_at FROM ballots WHERE round_number = $1"
                    " AND substring(voter_key FOR 8) <> $2", self.number, MADE,
                )
            ]  # fmt: skip
        return Evidence(
            self.schedule, self.seed, self.window[0], self.window[1], self._may_refuse, rows, await self._tally(),
            await self._receipts(), self.recovery_s, controls=self.controls,
            recovery_s_max=RECOVERY_S_MAX * self.stage.patience,
        )  # fmt: skip

    async def _tally(self) -> Tally | None:
        if self.ends_unopened:
            return None
        async with self.stage.database("voting") as connection:
            row = await connection.fetchrow(
                "SELECT content, digest FROM tallies WHERE round_number = $1", self.number
            )  # fmt: skip
        async with self.stage.database("scoring") as connection:
            digest = await connection.fetchval("SELECT digest FROM tallies WHERE round = $1", self.round)
        assert row is not None
        content = json.loads(row["content"])
        votes = {each["candidate"]: each["votes"] for each in content["counts"]}
        votes[CANDIDATES[0]] -= self.made_rows
        return Tally(content["ballots"] - self.made_rows, votes, digest == row["digest"])

    async def _receipts(self) -> dict[str, str]:
        """The states that a few people's receipts tell."""
        told = [person.receipt for person in self.crowd.people if person.receipt]
        chosen = self.chance.sample(told, min(RECEIPTS_ASKED, len(told)))
        return {each: str((await self.stage.ask(f"{VOTING}/receipts/{each}")).json().get("state")) for each in chosen}
