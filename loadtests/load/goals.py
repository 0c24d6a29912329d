"""The goals of a load run: read from TOML, compared with what was found, told as sentences. Pure.

Invariant: what must never happen (a lost ballot, a false block …) is no goal that a file could soften: it stands in
`NEVER` and is judged in every run. Called by `run.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from loadtests.load.record import Latency, Step

GOALS = Path(__file__).with_name("goals.toml")

NEVER = {
    "lost": "acknowledged ballots are missing in the ledger",
    "doubled": "people or ballot ids stand in the ledger more than once",
    "altered": "ballots stand in the ledger with other choices or another receipt than was told",
    "recorded_though_refused": "ballots stand in the ledger although their senders were told that they do not count",
    "not_sent": "ballots stand in the ledger that nobody sent",
    "out_of_window": "ballots were accepted outside the window",
    "false_blocks": "times an honest person was turned away",
    "won_by_bots": "attempts of bots succeeded",
    "invariants_broken": "invariants of the services do not hold",
    "exceptions": "kinds of mistakes stopped the people themselves: the run did not do what it should",
}


class BadGoals(ValueError):
    """The goals file cannot be used; the message says where and why."""


class LatencyGoal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Percentiles of one step's answers in ms; 0: no goal."""

    p50: float = 0
    p95: float = 0
    p99: float = 0


class Goals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a run must reach.

    `latency_ms` by step. `failures_max_share` by reason, of all requests of honest people; a reason that is not named
    may not occur. `challenged_max_share`: of the ballots acknowledged, those before which more work was asked.
    """

    ballots_min: int = 1
    challenged_max_share: float = 0.0
    latency_ms: dict[str, LatencyGoal] = {}
    failures_max_share: dict[str, float] = {}


class Findings(msgspec.Struct, frozen=True):
    """What a run found: `never` by the words of NEVER, `failures` by reason over `requests` of honest people."""

    ballots: int
    requests: int
    challenged: int
    never: dict[str, int]
    failures: dict[str, int]
    latencies: dict[str, Latency]


class Judged(msgspec.Struct, frozen=True):
    """One goal beside what was found."""

    goal: str
    wanted: float
    found: float
    met: bool
    sentence: str


def read(path: Path) -> Goals:
    """The goals in a file; raises BadGoals, one sentence."""
    try:
        goals = msgspec.toml.decode(path.read_bytes(), type=Goals)
    except OSError as error:
        raise BadGoals(f"{path} cannot be read ({error.strerror}): name a goals file with --goals") from None
    except msgspec.DecodeError as error:
        raise BadGoals(f"{path}: {error}; compare with {GOALS.name}") from None
    unknown = sorted(set(goals.latency_ms) - {step.value for step in Step})
    if unknown:
        raise BadGoals(f"{path}: latency_ms has no step “{unknown[0]}”; use {', '.join(Step)}")
    return goals


def judge(goals: Goals, found: Findings) -> list[Judged]:
    """Every goal with its verdict, those that must always hold first."""
    judged = [_never(word, meaning, found.never.get(word, 0)) for word, meaning in NEVER.items()]
    enough = found.ballots >= goals.ballots_min
    told = f"{found.ballots} ballots were acknowledged, at least {goals.ballots_min} are wanted"
    judged.append(Judged("ballots_min", goals.ballots_min, found.ballots, enough, told))
    judged.append(
        _share("challenged", found.challenged, max(1, found.ballots), goals.challenged_max_share, "ballots were")
    )
    for step, goal in goals.latency_ms.items():
        judged += _latency(step, goal, found.latencies.get(step))
    for reason in sorted({*found.failures, *goals.failures_max_share}):
        limit = goals.failures_max_share.get(reason, 0.0)
        judged.append(
            _share(reason, found.failures.get(reason, 0), max(1, found.requests), limit, "honest requests were told")
        )
    return judged


def missed(judged: list[Judged]) -> list[str]:
    """The sentences of what was not reached; empty: a good run."""
    return [each.sentence for each in judged if not each.met]


def _never(word: str, meaning: str, count: int) -> Judged:
    return Judged(word, 0, count, count == 0, f"{word}: {count} {meaning}, none may")


def _share(word: str, count: int, whole: int, limit: float, what: str) -> Judged:
    share = count / whole
    sentence = f"{word}: {share:.2%} of {whole} {what} {word}, the goal is at most {limit:.2%}"
    return Judged(f"share of {word}", limit, round(share, 6), share <= limit, sentence)


def _latency(step: str, goal: LatencyGoal, found: Latency | None) -> list[Judged]:
    wanted: Mapping[str, float] = {name: ms for name, ms in msgspec.structs.asdict(goal).items() if ms}
    if found is None or found.requests == 0:
        return [Judged(f"{step} answered", 1, 0, False, f"{step}: nobody got so far, so that nothing was measured")]
    judged = []
    for name, ms in wanted.items():
        seen = float(getattr(found, name))
        sentence = f"{step}: {name} was {seen:g} ms over {found.requests} requests, the goal is at most {ms:g} ms"
        judged.append(Judged(f"{step} {name} ms", ms, seen, seen <= ms, sentence))
    return judged
