"""A million duplicate attempts over four voting processes: one ballot for each person, whatever arrives at once.

    python -m loadtests.duplicates --attempts 1000000 --processes 4

Starts a platform of its own on loopback with more voting processes beside it, each at a port of its own, so that one
person's attempts surely reach all of them at the same moment: over many connections, with the same ballot id and with
other ones. The second half runs while Valkey is stopped, so that no hint spares the ledger a duplicate. Prints a table,
writes `loadtests/results/duplicates.json`, and ends with 1 where anybody has two ballots, none, or a false answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec

from loadtests.bench.wrk import LoadFailed
from loadtests.shared_address import load_round
from services.cli.audit import violations
from services.cli.embedded.child import Child
from services.cli.embedded.home import free_port
from services.cli.embedded.service import service_child
from services.cli.people import VOTING, valid_choices
from services.cli.supervisor import Platform
from services.shared.keys import derive
from services.shared.settings import read_secret
from services.voting.receipts import receipt_text
from services.voting.voter_token import VoterToken, VoterTokens

RESULTS = Path(__file__).parent / "results" / "duplicates.json"
ROUND = "duplicates"
ATTEMPTS_MAX, PROCESSES_MAX = 5_000_000, 16
CONNECTIONS, IDS = 32, 8
# People whose attempts are on their way at once; each connection asks for all of them in the same order.
SALVO = 8
SALVO_S, TRIES_MAX = 60.0, 20
# Limits would turn most attempts away before they could do harm: here they must reach the ledger.
UNLIMITED = {
    "VOTING_VOTER_ATTEMPTS_PER_MINUTE": "10000000",
    "VOTING_DEVICE_ATTEMPTS_PER_MINUTE": "10000000",
    "VOTING_ADDRESS_ATTEMPTS_PER_MINUTE": "10000000",
}


class Answer(msgspec.Struct, frozen=True):
    """What one attempt was told; a refusal has only a reason."""

    receipt: str = ""
    ballot_id: str = ""
    reason: str = ""
    status: int = 0


class Person(msgspec.Struct, frozen=True):
    """Somebody who tries many times; `requests` holds one request for each of the ballot ids."""

    key: bytes
    ballot_ids: list[str]
    requests: list[bytes]


class Line:
    """One kept connection to one process for one of each person's ballot ids (`place`); requests are pipelined."""

    def __init__(self, port: int, place: int) -> None:
        self.port, self.place = port, place
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.sent_again = 0

    async def ask(self, requests: Sequence[bytes]) -> list[Answer]:
        """All answers, in order; what a lost connection left open is sent again. Raises LoadFailed."""
        answers: list[Answer] = []
        for _ in range(TRIES_MAX):
            try:
                async with asyncio.timeout(SALVO_S):
                    await self._ask_once(requests[len(answers) :], answers)
                return answers
            except (OSError, EOFError, TimeoutError):
                self.sent_again += len(requests) - len(answers)
                self.close()
                await asyncio.sleep(0.2)
        raise LoadFailed(f"port {self.port} on 127.0.0.1 answered no attempt {TRIES_MAX} times in a row")

    async def _ask_once(self, requests: Sequence[bytes], answers: list[Answer]) -> None:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writer.write(b"".join(requests))
        for _ in requests:
            answer = await _read(self._reader)
            if answer.status >= 500:
                raise EOFError
            answers.append(answer)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    answer = msgspec.json.decode(await reader.readexactly(length), type=Answer)
    return msgspec.structs.replace(answer, status=int(head[9:12]))


@dataclass
class Half:
    """What all attempts of one half were told, added up as they come."""

    valkey: str
    people: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    sent_again: int = 0
    doubled: int = 0
    unanswered: int = 0
    false_answers: int = 0
    seconds: float = 0.0
    receipts: dict[bytes, str] = field(default_factory=dict)
    won_at: Counter[int] = field(default_factory=Counter)

    def judge(self, person: Person, told: Sequence[tuple[Line, Answer]]) -> None:
        """What one person was told: one ballot wins, its repeats get its receipt, every other is refused as second."""
        self.people += 1
        self.answers.update(each.reason or str(each.status) for _, each in told)
        self.won_at.update(line.port for line, each in told if each.status == 201)
        won = {(each.ballot_id, each.receipt) for _, each in told if each.receipt}
        self.doubled += len(won) > 1 or sum(each.status == 201 for _, each in told) > 1
        self.unanswered += not won
        if len(won) != 1:
            return
        ((ballot_id, receipt),) = won
        self.receipts[person.key] = receipt
        self.false_answers += sum(_is_false(person.ballot_ids[line.place] == ballot_id, each) for line, each in told)

    def told(self) -> dict[str, Any]:
        attempts = self.answers.total()
        return {
            "valkey": self.valkey,
            "people": self.people,
            "attempts": attempts,
            "answers": dict(sorted(self.answers.items())),
            "recorded_by_process": [self.won_at[port] for port in sorted(self.won_at)],
            "sent_again": self.sent_again,
            "seconds": round(self.seconds, 2),
            "attempts_per_s": round(attempts / self.seconds) if self.seconds else 0,
        }


def _is_false(is_winner: bool, answer: Answer) -> bool:
    return answer.status not in (200, 201) if is_winner else answer.reason != "already_voted"


def people_of(number: int, facts: dict[str, Any], secret: bytes, count: int) -> list[Person]:
    """So many people who have signed in, each with requests under several ballot ids."""
    tokens, chance, expires = VoterTokens(derive(secret, "voter-tokens")), random.Random(1), int(time.time()) + 7200
    ballots = [json.dumps(valid_choices(facts, chance)) for _ in range(IDS)]
    found = []
    for _ in range(count):
        key, ids = os.urandom(16), [str(uuid4()) for _ in range(IDS)]
        token = tokens.sign(VoterToken(number, key, 0, "sms", "", expires))
        found.append(Person(key, ids, [_request(token, *pair) for pair in zip(ids, ballots, strict=True)]))
    return found


def _request(token: str, ballot_id: str, choices: str) -> bytes:
    body = f'{{"ballot_id":"{ballot_id}","choices":{choices}}}'.encode()
    head = (
        f"POST {VOTING}/rounds/{ROUND}/ballots HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def fire(lines: Sequence[Line], people: Sequence[Person], half: Half) -> None:
    """Salvo after salvo: every connection asks for the same few people at once, no process always first."""
    started, in_turn = time.perf_counter(), list(lines)
    for first in range(0, len(people), SALVO):
        chosen = people[first : first + SALVO]
        random.shuffle(in_turn)
        answers = await asyncio.gather(*(line.ask([each.requests[line.place] for each in chosen]) for line in in_turn))
        for position, person in enumerate(chosen):
            told = [(line, given[position]) for line, given in zip(in_turn, answers, strict=True)]
            half.judge(person, told)
    half.seconds = time.perf_counter() - started
    half.sent_again = sum(line.sent_again for line in lines)


@asynccontextmanager
async def processes_of(platform: Platform, count: int) -> AsyncIterator[list[int]]:
    """The ports of `count` ready voting processes: the platform's own and further ones on the same servers."""
    taken: set[int] = set()
    ports = [int(platform.environment["VOTING_PORT"])]
    async with AsyncExitStack() as stack:
        for _ in range(count - 1):
            port, metrics_port = free_port(None, taken), free_port(None, taken)
            changes = {"VOTING_PORT": str(port), "VOTING_METRICS_PORT": str(metrics_port)}
            spec = service_child(platform.home, "voting", {**platform.environment, **changes}, "services.voting")
            child = Child(spec, lambda: None)
            stack.push_async_callback(child.stop)
            await child.start()
            await child.ready(60)
            ports.append(port)
        yield ports


async def facts_of(ports: Iterable[int]) -> dict[str, Any]:
    """The round's public facts, once every process takes its ballots."""
    facts: dict[str, Any] = {}
    async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
        for port in ports:
            url = f"http://127.0.0.1:{port}{VOTING}/rounds/{ROUND}"
            for _ in range(200):
                state = await http.get(f"{url}/results")
                if state.status_code == 200 and state.json()["state"] == "open":
                    break
                await asyncio.sleep(0.1)
            facts = (await http.get(url)).raise_for_status().json()
    return facts


async def run(platform: Platform, attempts: int, processes: int) -> dict[str, Any]:
    """Both halves against a running platform, and what its ledger says afterwards."""
    async with httpx.AsyncClient(base_url=platform.urls["voting"], timeout=30, trust_env=False) as http:
        await load_round(platform, http, ROUND)
    async with processes_of(platform, processes) as ports:
        facts = await facts_of(ports)
        secret = read_secret(platform.environment["VOTING_MASTER_SECRET_FILE"], "VOTING_MASTER_SECRET_FILE")
        number = (await _ask(platform, "SELECT number FROM rounds WHERE round = $1", ROUND))[0]["number"]
        count = max(2, -(-attempts // (processes * CONNECTIONS)))
        people = people_of(number, facts, secret, count)
        halves = [Half("running"), Half("stopped")]
        for half, chosen in zip(halves, (people[: count // 2], people[count // 2 :]), strict=True):
            lines = [Line(port, k % IDS) for k in range(CONNECTIONS) for port in ports]
            if half.valkey == "stopped":
                platform.kill("valkey", signal.SIGSTOP)
            try:
                await fire(lines, chosen, half)
            finally:
                if half.valkey == "stopped":
                    platform.kill("valkey", signal.SIGCONT)
                for line in lines:
                    line.close()
        return await found_of(platform, number, processes, halves)


async def found_of(platform: Platform, number: int, processes: int, halves: Sequence[Half]) -> dict[str, Any]:
    """Compare what people were told with the ledger; the audit has the last word."""
    rows = await _ask(platform, "SELECT voter_key, receipt FROM ballots WHERE round_number = $1", number)
    ledger: dict[bytes, list[str]] = {}
    for row in rows:
        ledger.setdefault(row["voter_key"], []).append(receipt_text(row["receipt"]))
    told = {key: receipt for half in halves for key, receipt in half.receipts.items()}
    missing = sum(receipt not in ledger.get(key, []) for key, receipt in told.items())
    return {
        "attempts": sum(half.answers.total() for half in halves),
        "processes": processes,
        "connections_per_process": CONNECTIONS,
        "ballot_ids_per_person": IDS,
        "people": sum(half.people for half in halves),
        "ballots": len(rows),
        "doubled": sum(half.doubled for half in halves) + sum(len(each) > 1 for each in ledger.values()),
        "lost": missing + sum(half.unanswered for half in halves),
        "false_answers": sum(half.false_answers for half in halves),
        "invariants_broken": len(await violations({"voting": platform.environment["VOTING_DATABASE_URL"]})),
        "halves": [half.told() for half in halves],
    }


def holds(found: dict[str, Any]) -> bool:
    """Whether everybody has exactly one ballot and was told the truth about it."""
    broken = ("doubled", "lost", "false_answers", "invariants_broken")
    return found["ballots"] == found["people"] and not any(found[name] for name in broken)


async def _ask(platform: Platform, query: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(platform.environment["VOTING_DATABASE_URL"], timeout=10, command_timeout=120)
    try:
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()


async def measure(attempts: int, processes: int, seconds_max: float) -> dict[str, Any]:
    """A platform for this run alone; raises TimeoutError when it takes too long."""
    with tempfile.TemporaryDirectory(prefix="pingxuan-duplicates-") as home:
        async with (
            asyncio.timeout(seconds_max),
            Platform(home, proxy=False, workers=1, database_url="", redis_url="") as platform,
        ):
            await platform.ready()
            return await run(platform, attempts, processes)


def table(found: dict[str, Any]) -> str:
    """What a person reads."""
    lines = [f"{'Valkey':<9}{'people':>8}{'attempts':>10}{'recorded':>10}{'repeated':>10}{'refused':>9}{'per s':>8}"]
    for half in found["halves"]:
        answers = half["answers"]
        refused = half["attempts"] - answers.get("201", 0) - answers.get("200", 0)
        lines.append(
            f"{half['valkey']:<9}{half['people']:>8}{half['attempts']:>10}{answers.get('201', 0):>10}"
            f"{answers.get('200', 0):>10}{refused:>9}{half['attempts_per_s']:>8}"
        )
    lines.append(", ".join(f"{name} {found[name]}" for name in ("ballots", "doubled", "lost", "false_answers")))
    return "\n".join(lines)


def _sizes(parser: argparse.ArgumentParser) -> argparse.Namespace:
    parser.add_argument("--attempts", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seconds-max", type=float, default=1800)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    if not 1 <= options.attempts <= ATTEMPTS_MAX or not 1 <= options.processes <= PROCESSES_MAX:
        parser.error(f"1 to {ATTEMPTS_MAX} attempts over 1 to {PROCESSES_MAX} processes are possible")
    return options


def main() -> None:
    options = _sizes(argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter))
    os.environ.update(UNLIMITED)
    try:
        found = asyncio.run(measure(options.attempts, options.processes, options.seconds_max))
    except TimeoutError:
        sys.exit(f"not done after {options.seconds_max:.0f} s: try fewer --attempts")
    except LoadFailed as error:
        sys.exit(str(error))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=2) + "\n")
    print(table(found))
    sys.exit(0 if holds(found) else 1)


if __name__ == "__main__":
    main()
