"""Honest voters behind one address while attackers come from two hundred: nobody honest is punished, no vote is won.

    python -m loadtests.shared_address --honest 5000 --attacks 50000

Starts a platform of its own on loopback, runs the honest voters once alone and once under attack, prints what happened
and writes `loadtests/results/shared_address.json`. Every honest voter signs in and votes as a phone does; "without a
second try" means that no step was refused. Both come at a fixed rate, as people do, whether those before them are done
or not: a slow service shows in what it gets done. The attack is a process of its own, and both crowds use many small
connection pools, or the load generator would be what is measured. Attackers forge tokens, guess codes, ask without
work, and vote again and again with accounts of their own from every address.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from services.cli.client import Client
from services.cli.people import REGISTRY, VOTING, Citizen, no_cookies
from services.cli.supervisor import Platform

RESULTS = Path(__file__).parent / "results" / "shared_address.json"
SMALL = Path(__file__).parents[1] / "deploy" / "rounds" / "small"
HONEST_ADDRESS = "203.0.113.1"
# The work of httpx's pool grows with the square of its connections: many small ones cost a crowd next to nothing.
POOLS = 32
CONNECTIONS_MAX_PER_POOL = 12
OWN_ACCOUNTS = 20


@dataclass
class Outcome:
    """What happened to the honest voters of one run."""

    wanted: int
    first_try: int = 0
    voted: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def told(self) -> dict[str, Any]:
        return {
            "voters": self.wanted,
            "voted": self.voted,
            "share_without_second_try": round(self.first_try / self.wanted, 4),
            "refusals": dict(self.refusals),
            "seconds": round(self.seconds, 2),
            "voters_per_second": round(self.voted / self.seconds, 2),
        }


async def honest_voter(http: httpx.AsyncClient, round_id: str, outcome: Outcome) -> None:
    """One person: sign in, vote; every refusal on the way is noted."""
    citizen = Citizen(http, round_id, address=HONEST_ADDRESS)
    try:
        await citizen.sign_in()
        answer = await citizen.vote(["S1"])
    except httpx.HTTPStatusError as error:
        outcome.refusals[str(error.response.json().get("reason", error.response.status_code))] += 1
        return
    except httpx.HTTPError as error:
        outcome.refusals[type(error).__name__] += 1
        return
    if answer.status_code == 201:
        outcome.voted += 1
        outcome.first_try += 1
    else:
        outcome.refusals[str(answer.json().get("reason"))] += 1


async def paced(count: int, per_s: float, work: Callable[[int], Awaitable[None]]) -> None:
    """`count` pieces of work, begun `per_s` a second."""
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await asyncio.sleep(started + number / per_s - time.perf_counter())
            group.create_task(_as_coroutine(work(number)))


async def _as_coroutine(work: Awaitable[None]) -> None:
    await work


@asynccontextmanager
async def crowd(voting_url: str) -> AsyncIterator[list[httpx.AsyncClient]]:
    """HTTP clients for a crowd, who take them in turn."""
    limits = httpx.Limits(max_connections=CONNECTIONS_MAX_PER_POOL)
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=voting_url, timeout=60, trust_env=False, cookies=no_cookies(), limits=limits)
            )
            for _ in range(POOLS)
        ]


async def run_honest(clients: list[httpx.AsyncClient], round_id: str, voters: int, per_s: float) -> Outcome:
    outcome, started = Outcome(voters), time.perf_counter()
    await paced(voters, per_s, lambda number: honest_voter(clients[number % POOLS], round_id, outcome))
    outcome.seconds = time.perf_counter() - started
    return outcome


class Attack:
    """Attempts from many addresses; counts the answers by what was tried."""

    def __init__(self, clients: list[httpx.AsyncClient], round_id: str, addresses: int) -> None:
        self._clients, self._round = clients, round_id
        self._addresses = [f"198.51.{100 + k // 250}.{1 + k % 250}" for k in range(addresses)]
        self._accounts: list[Citizen] = []
        self._victim_request = ""
        self.answers: Counter[str] = Counter()
        self.voted: set[int] = set()

    async def prepare(self) -> None:
        """Accounts that the attackers really own: one vote each is theirs."""
        for k in range(OWN_ACCOUNTS):
            account = Citizen(self._clients[k % POOLS], self._round, address=self._addresses[k % len(self._addresses)])
            await account.sign_in()
            self._accounts.append(account)
        victim = Citizen(self._clients[0], self._round, address="192.0.2.1")
        self._victim = victim
        self._victim_request = str((await victim.ask_code()).json()["request"])

    async def attempt(self, number: int) -> None:
        address = {"x-forwarded-for": self._addresses[number % len(self._addresses)]}
        tries = (self._vote_again, self._forge, self._guess_code, self._ask_without_work)
        kind = tries[number % len(tries)]
        try:
            answer = await kind(number, address)
        except httpx.HTTPError as error:
            self.answers[f"{kind.__name__[1:]}: {type(error).__name__}"] += 1
            return
        reason = answer.json().get("reason", "") if answer.status_code >= 400 else ""
        self.answers[f"{kind.__name__[1:]}: {answer.status_code} {reason}".rstrip()] += 1

    async def _vote_again(self, number: int, address: dict[str, str]) -> httpx.Response:
        account = number % OWN_ACCOUNTS
        answer = await self._accounts[account].vote(["S2"], headers=address)
        if answer.status_code == 201:
            self.voted.add(account)
        return answer

    async def _forge(self, number: int, address: dict[str, str]) -> httpx.Response:
        token = random.choice(self._accounts).token
        letter = random.choice("ABCDEFGH".replace(token[20], ""))
        forged = token[:20] + letter + token[21:]
        body = {"ballot_id": str(uuid4()), "choices": ["S2"]}
        headers = {"authorization": f"Bearer {forged}", **address}
        return await self._client(number).post(f"{VOTING}/rounds/{self._round}/ballots", json=body, headers=headers)

    async def _guess_code(self, number: int, address: dict[str, str]) -> httpx.Response:
        body = {"request": self._victim_request, "phone": self._victim.phone, "code": f"{number % 10**6:06d}"}
        path = f"{VOTING}/rounds/{self._round}/sessions"
        return await self._client(number).post(path, json={**body, "consent": "1"}, headers=address)

    async def _ask_without_work(self, number: int, address: dict[str, str]) -> httpx.Response:
        body = {"phone": f"138{number % 10**8:08d}", "altcha": "bm90aGluZw=="}
        return await self._client(number).post(f"{VOTING}/rounds/{self._round}/codes", json=body, headers=address)

    def _client(self, number: int) -> httpx.AsyncClient:
        return self._clients[number % POOLS]


async def attack_alone(
    voting_url: str, round_id: str, attempts: int, addresses: int, per_s: float
) -> tuple[Counter[str], int]:
    """The whole attack: answers by what was tried, and how many own accounts voted (their good right)."""
    async with crowd(voting_url) as clients:
        attack = Attack(clients, round_id, addresses)
        await attack.prepare()
        await paced(attempts, per_s, attack.attempt)
        return attack.answers, len(attack.voted)


def attack_process(*order: Any) -> tuple[Counter[str], int]:
    """`attack_alone` where it has a process to itself."""
    return asyncio.run(attack_alone(*order))


async def load_round(platform: Platform, http: httpx.AsyncClient, round_id: str) -> None:
    """A round of its own, from the minimal example, open for an hour."""
    rules = (SMALL / "rules.toml").read_text("utf-8")
    before = next(line for line in rules.splitlines() if line.startswith("id = "))
    candidates = (SMALL / "candidates.csv").read_text("utf-8")
    files = {"rules.toml": rules.replace(before, f'id = "{round_id}"'), "candidates.csv": candidates}
    token = Client(platform.environment).token("platform")
    answer = await http.post(
        platform.urls["registry"] + f"{REGISTRY}/rounds",
        json={"files": files, "open_for_s": 3600},
        headers={"authorization": f"Bearer {token}"},
    )
    answer.raise_for_status()
    for _ in range(200):
        state = await http.get(f"{VOTING}/rounds/{round_id}/results")
        if state.status_code == 200 and state.json()["state"] == "open":
            return
        await asyncio.sleep(0.1)
    raise SystemExit(f"{round_id} did not open")


async def ballots_of(platform: Platform, round_id: str) -> int:
    connection = await asyncpg.connect(platform.environment["VOTING_DATABASE_URL"])
    try:
        query = "SELECT count(*) FROM ballots JOIN rounds ON number = round_number WHERE round = $1"
        return int(await connection.fetchval(query, round_id))
    finally:
        await connection.close()


async def measure(honest: int, attacks: int, addresses: int, honest_per_s: float) -> dict[str, Any]:
    """Quiet run, attacked run, and what the attack won."""
    with tempfile.TemporaryDirectory(prefix="pingxuan-address-") as home:
        async with Platform(home, proxy=False, database_url="", redis_url="") as platform:
            await platform.ready()
            async with crowd(platform.urls["voting"]) as clients:
                return await _both_runs(platform, clients, honest, attacks, addresses, honest_per_s)


async def _both_runs(
    platform: Platform, clients: list[httpx.AsyncClient], honest: int, attacks: int, addresses: int, honest_per_s: float
) -> dict[str, Any]:
    await load_round(platform, clients[0], "quiet")
    quiet = await run_honest(clients, "quiet", honest, honest_per_s)
    attacks_per_s = honest_per_s * attacks / honest
    await load_round(platform, clients[0], "attacked")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        order = (platform.urls["voting"], "attacked", attacks, addresses, attacks_per_s)
        attacking = asyncio.get_running_loop().run_in_executor(processes, attack_process, *order)
        attacked = await run_honest(clients, "attacked", honest, honest_per_s)
        answers, own_votes = await attacking
    won = await ballots_of(platform, "attacked") - attacked.voted - own_votes
    return {
        "quiet": quiet.told(),
        "attacked": attacked.told(),
        "attack": {"attempts": attacks, "addresses": addresses, "answers": dict(sorted(answers.items()))},
        "honest_per_s": honest_per_s,
        "attacks_per_s": attacks_per_s,
        "extra_ballots_won": won,
        "goodput_ratio": round(attacked.voted / attacked.seconds / (quiet.voted / quiet.seconds), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--honest", type=int, default=5000)
    parser.add_argument("--attacks", type=int, default=50_000)
    parser.add_argument("--addresses", type=int, default=200)
    parser.add_argument("--per-second", type=float, default=16.0, help="honest voters a second (default: 16)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    # The phones' work is not what is measured here: it would only slow this one machine that plays all of them.
    os.environ["VOTING_CHALLENGE_COST"] = "10"
    found = asyncio.run(measure(options.honest, options.attacks, options.addresses, options.per_second))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    print(json.dumps(found, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
