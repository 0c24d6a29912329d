"""What came of a load run: the people's report beside the ledger and the audit, judged by the goals.

Invariant: the ledger has the last word about every ballot; what people were told is only compared with it. Called by
`run.py`.
"""

from __future__ import annotations

from collections import Counter

import asyncpg
import msgspec

from loadtests.load.goals import Findings, Judged
from loadtests.load.record import OK, OUR_FAULT, Latency, Line, Report
from loadtests.load.scene import Order
from services.cli.audit import violations
from services.cli.supervisor import Platform
from services.voting.receipts import receipt_text

SERVICES = ("registry", "voting", "scoring")


class Recorded(msgspec.Struct, frozen=True):
    """A row of the ledger: whose, which, and its choices as the round's identifiers."""

    voter: bytes
    ballot_id: str
    receipt: str
    choices: list[str]


class Verdict(msgspec.Struct, frozen=True):
    """The whole result, as it is written to `verdict.json`; `turned_away` tells who, at which step, by which word."""

    shape: str
    people_max: int
    seconds: float
    think: float
    met: bool
    breathless: bool
    ballots: int
    requests: int
    requests_of_bots: int
    turned_away: dict[str, int]
    judged: list[Judged]
    answers: dict[str, dict[str, int]]
    latencies: dict[str, Latency]


async def ledger_of(platform: Platform, round_id: str, candidates: dict[int, str]) -> list[Recorded]:
    """Every ballot of the round; `candidates` by their drawn number."""
    connection = await asyncpg.connect(platform.environment["VOTING_DATABASE_URL"], timeout=10, command_timeout=120)
    try:
        rows = await connection.fetch(
            "SELECT voter_key, ballot_id, receipt, choices FROM ballots"
            " WHERE round_number = (SELECT number FROM rounds WHERE round = $1)",
            round_id,
        )
    finally:
        await connection.close()
    return [
        Recorded(
            row["voter_key"], str(row["ballot_id"]), receipt_text(row["receipt"]),
            sorted(candidates[number] for number in row["choices"]),
        )
        for row in rows
    ]  # fmt: skip


async def broken_invariants(platform: Platform) -> int:
    """How many invariants of the three services do not hold."""
    return len(await violations({name: platform.environment[f"{name.upper()}_DATABASE_URL"] for name in SERVICES}))


def compare(report: Report, ledger: list[Recorded]) -> dict[str, int]:
    """How often each thing happened to a ballot that never may, by the words of `goals.NEVER`. Pure."""
    by_id = {row.ballot_id: row for row in ledger}
    refused = set(report.refused)
    altered = sum(
        row.ballot_id in report.sent and row.choices != sorted(report.sent[row.ballot_id]) for row in ledger
    ) + sum(ballot_id in by_id and by_id[ballot_id].receipt != told for ballot_id, told in report.receipts.items())
    return {
        "lost": sum(ballot_id not in by_id for ballot_id in report.receipts),
        "doubled": 2 * len(ledger) - len(by_id) - len({row.voter for row in ledger}),
        "altered": altered + report.altered,
        "recorded_though_refused": sum(row.ballot_id in refused for row in ledger),
        "not_sent": sum(row.ballot_id not in report.sent for row in ledger),
        "out_of_window": report.out_of_window,
        "won_by_bots": report.won_by_bots,
        "exceptions": len(report.exceptions),
    }


def turned_away(report: Report) -> dict[str, int]:
    """Walls before honest people: refusals that they had not earned and that no busy service explains. Pure."""
    return {
        f"{line.person}, {line.step}: {line.word}": line.count
        for line in report.lines
        if not line.wanted and not _is_bot(line) and not _is_our_fault(line)
    }


def _is_bot(line: Line) -> bool:
    return line.person.startswith("bot")


def _is_our_fault(line: Line) -> bool:
    return line.word in OUR_FAULT or line.word.startswith("http_5")


def findings(report: Report, never: dict[str, int]) -> Findings:
    """The report as goals see it. Pure."""
    honest = [line for line in report.lines if not _is_bot(line)]
    failures = Counter[str]()
    for line in honest:
        if _is_our_fault(line):
            failures[line.word] += line.count
    false_blocks = sum(turned_away(report).values())
    return Findings(
        len(report.receipts), sum(line.count for line in honest), report.challenged,
        {**never, "false_blocks": false_blocks}, dict(failures), report.latencies,
    )  # fmt: skip


def verdict_of(order: Order, report: Report, found: Findings, judged: list[Judged]) -> Verdict:
    """Everything that a reader of `verdict.json` may ask for."""
    answers: dict[str, Counter[str]] = {}
    for line in report.lines:
        word = "" if line.word == OK else f": {line.word}"
        answers.setdefault(line.person, Counter())[f"{line.step}{word}"] += line.count
    return Verdict(
        shape=order.shape.value,
        people_max=order.people_max,
        seconds=order.seconds,
        think=order.think,
        met=all(each.met for each in judged),
        breathless=report.breathless,
        ballots=found.ballots,
        requests=found.requests,
        requests_of_bots=sum(line.count for line in report.lines if _is_bot(line)),
        turned_away=turned_away(report),
        judged=judged,
        answers={person: dict(told) for person, told in answers.items()},
        latencies=report.latencies,
    )


def table(verdict: Verdict) -> str:
    """What a person reads at the end."""
    lines = [f"{'step':<16}{'requests':>9}{'p50 ms':>8}{'p95 ms':>8}{'p99 ms':>8}{'longest':>9}"]
    for step, latency in sorted(verdict.latencies.items()):
        lines.append(
            f"{step:<16}{latency.requests:>9}{latency.p50:>8.0f}{latency.p95:>8.0f}{latency.p99:>8.0f}"
            f"{latency.longest:>9.0f}"
        )
    lines.append(f"{verdict.ballots} ballots, {verdict.requests} honest requests, {verdict.requests_of_bots} of bots")
    lines += [f"turned away: {who} ({count} times)" for who, count in verdict.turned_away.items()]
    if verdict.breathless:
        lines.append("the people's own process had no CPU left: latencies contain its waiting, try fewer people")
    return "\n".join(lines)
