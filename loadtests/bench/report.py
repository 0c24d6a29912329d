"""The results as CONTRACT names them (`bench.json`) and as people read them (`bench.md`), goals beside measured values.

Pure but for `write`. A ratio is always ours ÷ theirs: the median over rounds of the two figures of one round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from loadtests.bench.figures import Figures, ratios, rounded, spread, spreads

Rounds = Sequence[Mapping[str, Figures]]


@dataclass(frozen=True)
class Ratio:
    """One figure of ours over one of theirs."""

    name: str
    ours: tuple[str, str]
    theirs: tuple[str, str]


RATIOS = (
    Ratio("throughput_vs_fastapi", ("ours", "ballots_per_s"), ("fastapi_asyncpg", "ballots_per_s")),
    Ratio("cpu_vs_fastapi", ("ours", "cpu_us_per_ballot"), ("fastapi_asyncpg", "cpu_us_per_ballot")),
    Ratio("throughput_vs_raw_echo", ("ours", "ballots_per_s"), ("raw_asgi_echo", "ballots_per_s")),
    Ratio("throughput_vs_litestar_echo", ("ours", "ballots_per_s"), ("litestar_echo", "ballots_per_s")),
    Ratio("throughput_vs_evalsha", ("ours", "ballots_per_s"), ("litestar_evalsha", "ballots_per_s")),
    Ratio("throughput_vs_pgbench_voter", ("ours", "ballots_per_s"), ("pgbench_voter", "ballots_per_s")),
    Ratio("duplicate_cpu_vs_accept", ("ours", "cpu_us_per_duplicate"), ("ours", "cpu_us_per_ballot")),
    Ratio("batching_gain", ("ours", "ballots_per_s"), ("ours_unbatched", "ballots_per_s")),
    Ratio("p50_alone_vs_unbatched", ("ours", "p50_ms_at_1_connection"), ("ours_unbatched", "p50_ms_at_1_connection")),
    Ratio("p99_at_70_percent_vs_raw_echo", ("ours", "p99_ms_at_70_percent"), ("raw_asgi_echo", "p99_ms_at_70_percent")),
)


@dataclass(frozen=True)
class Goal:
    """A bound on a value found by its path in the results."""

    text: str
    path: tuple[str, ...]
    bound: float
    at_least: bool = False

    def missed_by(self, value: float) -> float | None:
        """By which share of the bound the value misses it; None where it is met."""
        short = (self.bound - value if self.at_least else value - self.bound) / self.bound
        return short if short > 0 else None


GOALS = (
    Goal("CPU per accepted ballot, all processes, against FastAPI + asyncpg", ("ratios", "cpu_vs_fastapi"), 1 / 6),
    Goal("accepted ballots/s against FastAPI + asyncpg", ("ratios", "throughput_vs_fastapi"), 5, True),
    Goal("accepted ballots/s against the raw-ASGI echo", ("ratios", "throughput_vs_raw_echo"), 0.5, True),
    Goal("accepted ballots/s against pgbench Voter, no HTTP", ("ratios", "throughput_vs_pgbench_voter"), 1, True),
    Goal("CPU of a refused duplicate against an accepted ballot", ("ratios", "duplicate_cpu_vs_accept"), 0.7),
    Goal("batching on against off, 64 connections", ("ratios", "batching_gain"), 2, True),
    Goal("p50 at 1 connection, batching on against off", ("ratios", "p50_alone_vs_unbatched"), 1),
    Goal("p99 at 70 % of the maximum against the echo's", ("ratios", "p99_at_70_percent_vs_raw_echo"), 5),
    Goal("p99 at 70 % of the maximum, ms", ("p99_ms_at_70_percent",), 25),
    Goal("memory of a worker at 64 connections, MB", ("memory_mb_at_64_connections",), 120),
    Goal("memory of a worker at 2,000 connections, MB", ("memory_mb_at_2000_connections",), 200),
)


def results(rounds: Rounds, once: Mapping[str, Figures], about: Mapping[str, Any]) -> dict[str, Any]:
    """The document of `bench.json`; what was not measured is null. `about` holds machine, commit and options."""
    names = dict.fromkeys(name for one in rounds for name in one)
    contenders = {name: spreads([one[name] for one in rounds if name in one]) for name in names}
    series = {each.name: _series(rounds, each) for each in RATIOS}
    ours = contenders.get("ours", {})
    return {
        **about,
        "rounds": len(rounds),
        "contenders": contenders,
        "ratios": {name: rounded(median(values)) if values else None for name, values in series.items()},
        "ratio_spreads": {name: spread(values) for name, values in series.items() if values},
        "cpu_us_per_ballot": _median(ours, "cpu_us_per_ballot"),
        "cpu_us_per_voter": _once(once, "voter", "cpu_us_per_voter"),
        "p99_ms_at_70_percent": _median(ours, "p99_ms_at_70_percent"),
        "memory_mb_at_64_connections": _median(ours, "memory_mb"),
        "memory_mb_at_2000_connections": _once(once, "connections_2000", "memory_mb"),
        "once": {name: {key: rounded(value) for key, value in figures.items()} for name, figures in once.items()},
    }


def _series(rounds: Rounds, ratio: Ratio) -> list[float]:
    (our_name, our_figure), (their_name, their_figure) = ratio.ours, ratio.theirs
    both = [
        (one[our_name][our_figure], one[their_name][their_figure])
        for one in rounds
        if our_figure in one.get(our_name, {}) and their_figure in one.get(their_name, {})
    ]
    return ratios([pair[0] for pair in both], [pair[1] for pair in both])


def _median(figures: Mapping[str, Mapping[str, float]], name: str) -> float | None:
    return figures[name]["median"] if name in figures else None


def _once(once: Mapping[str, Figures], step: str, name: str) -> float | None:
    return rounded(once[step][name]) if name in once.get(step, {}) else None


def look_up(document: Mapping[str, Any], path: Sequence[str]) -> float | None:
    found: Any = document
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return None if found is None else float(found)


def table(document: Mapping[str, Any]) -> str:
    """`bench.md`: the goals with what was measured, then every contender, then what was measured once."""
    machine = document["machine"]
    lines = ["# Performance, side by side", ""]
    if not document["complete"]:
        lines += ["**A short or partial run: it shows that everything works, its figures mean nothing.**", ""]
    lines += [
        f"Written by `make bench` at commit `{document['commit']}`: {document['rounds']} interleaved rounds of "
        f"{document['seconds']:g} s per contender, {document['connections']} connections, load by "
        f"{document['load_tool']}, over loopback. Medians, with the least and the greatest of the rounds. Ratios are "
        "ours ÷ theirs, round by round; absolute figures belong to the machine below, ratios travel.",
        "",
        *(f"- {name}: {value}" for name, value in machine.items()),
        "",
        "## Goals",
        "",
        "| goal | bound | measured | |",
        "|---|---|---|---|",
        *(_goal_row(goal, document) for goal in GOALS),
        "",
        "## Contenders",
        "",
        *_contender_rows(document["contenders"]),
        "",
        *_once_rows(document["once"]),
        *NOTES,
    ]
    return "\n".join(lines) + "\n"


def _goal_row(goal: Goal, document: Mapping[str, Any]) -> str:
    value = look_up(document, goal.path)
    bound = f"{'≥' if goal.at_least else '≤'} {goal.bound:.3g}"
    if value is None:
        return f"| {goal.text} | {bound} | – | not measured |"
    missed = goal.missed_by(value)
    verdict = "met" if missed is None else f"**missed by {missed:.0%}**"
    range_ = document["ratio_spreads"].get(goal.path[-1])
    shown = f"{value:.3g}" + (f" ({range_['min']:.3g}–{range_['max']:.3g})" if range_ else "")
    return f"| {goal.text} | {bound} | {shown} | {verdict} |"


_COLUMNS = {
    "ballots_per_s": "ballots/s",
    "cpu_us_per_ballot": "CPU µs per ballot",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "p99_ms_at_70_percent": "p99 ms at 70 %",
    "memory_mb": "MB",
}


def _contender_rows(contenders: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    lines = [f"| | {' | '.join(_COLUMNS.values())} |", "|---" * (len(_COLUMNS) + 1) + "|"]
    for name, figures in contenders.items():
        lines.append(f"| {name} | {' | '.join(_cell(figures.get(column)) for column in _COLUMNS)} |")
    for name, figures in contenders.items():
        parts = {key.removeprefix("cpu_us_"): value for key, value in figures.items() if key.startswith("cpu_us_")}
        parts = {key: value for key, value in parts.items() if not key.startswith("per_")}
        if parts:
            shown = ", ".join(f"{key} {value['median']:.3g}" for key, value in parts.items())
            lines += ["", f"CPU µs per ballot of {name} by process: {shown}."]
    return lines


def _cell(values: Mapping[str, float] | None) -> str:
    if values is None:
        return "–"
    return f"{_plain(values['median'])} ({_plain(values['min'])}–{_plain(values['max'])})"


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _once_rows(once: Mapping[str, Figures]) -> list[str]:
    if not once:
        return []
    lines = ["## Measured once", "", "| | figures |", "|---|---|"]
    for name, figures in once.items():
        lines.append(f"| {name} | {', '.join(f'{key} {_plain(value)}' for key, value in figures.items())} |")
    return [*lines, ""]


NOTES = (
    "## How to read it",
    "",
    "- Every contender answers after its commit, on the same PostgreSQL and Valkey binaries with the same durability; "
    "HTTP contenders run on the same uvicorn settings, get the same kind of requests and check the same token and "
    "ballot rule. Only one contender's servers run at a time.",
    "- CPU is user and system time of all of a contender's server processes, PostgreSQL's backends included, the load "
    "tool's never. Ours includes the registry and scoring services, which have no part in a ballot, and what all "
    'of them use while idle (`idle_cpu_percent` of one core, under "Measured once").',
    "- A ballot counts when it was answered; the run is refused unless the ledger gained exactly what was accepted.",
    "- Latencies at 70 % are at a fixed rate and count from the moment a ballot was due; they contain the client's "
    "clock tick of 1 ms.",
    "- pgbench Voter, the batch insert and the script have no HTTP; the echoes keep nothing.",
)


def write(folder: Path, document: Mapping[str, Any]) -> None:
    """`bench.json` and `bench.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    (folder / "bench.md").write_text(table(document), "utf-8")
