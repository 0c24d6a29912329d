"""What a series found, for programs (chaos.json) and for people."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtests.bench.machine import commit, machine
from loadtests.chaos.runs import Result

RESULTS = Path(__file__).parents[1] / "results" / "chaos.json"


def report(
    results: Sequence[Result], controls: Mapping[str, Any], planted: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The totals, the slowest recovery of each fault, and everything that was not as it should be."""
    kinds = Counter(finding.kind for result in results for finding in result.findings)
    return {
        "runs": len(results),
        "schedules": len({result.schedule for result in results}),
        "seeds": sorted({result.seed for result in results}),
        "attempts": sum(result.attempts for result in results),
        "acknowledged": sum(result.acknowledged for result in results),
        "lost": kinds["lost"],
        "doubled": kinds["doubled"],
        "altered": kinds["altered"],
        "outside_the_window": kinds["outside"],
        "other_findings": sum(kinds.values()) - sum(kinds[name] for name in ("lost", "doubled", "altered", "outside")),
        "not_played_to_the_end": sum(bool(result.error) for result in results),
        "recovery_s": _recoveries(results),
        "mutants": len(planted),
        "mutants_caught": sum(bool(each["caught_by"]) for each in planted),
        "fsync_order": dict(controls),
        "planted_bugs": list(planted),
        "failures": [_failure(result) for result in results if not result.is_good],
        "seconds": round(sum(result.seconds for result in results)),
        "machine": machine(),
        "commit": commit(),
    }


def _recoveries(results: Iterable[Result]) -> dict[str, float | None]:
    """The longest of each schedule; None where one never recovered."""
    found: dict[str, list[float | None]] = defaultdict(list)
    for result in results:
        if not result.error:
            found[result.schedule].append(result.recovery_s)
    return {
        name: None if None in times else max(each for each in times if each is not None)
        for name, times in sorted(found.items())
    }


def _failure(result: Result) -> dict[str, Any]:
    details = [f"{finding.kind}: {finding.detail}" for finding in result.findings]
    return {"schedule": result.schedule, "seed": result.seed, "error": result.error, "findings": details[:10]}


def holds(found: Mapping[str, Any]) -> bool:
    """Whether everything is as promised, controls and planted bugs included."""
    good_controls = all(control["as_expected"] for control in found["fsync_order"].values())
    return not found["failures"] and found["mutants"] == found["mutants_caught"] and good_controls


def write(found: Mapping[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def line(result: Result) -> str:
    """One run as a person reads it while the series goes on."""
    recovery = "-" if result.recovery_s is None else f"{result.recovery_s:.1f} s"
    told = f"{result.schedule:<44}{result.seed:>4}{result.seconds:>7.1f} s"
    told += f"{result.attempts:>6}{result.acknowledged:>6}{recovery:>8}"
    wrong = [result.error] if result.error else []
    wrong += [f"{finding.kind}: {finding.detail}" for finding in result.findings[:4]]
    return told + "".join(f"\n    {each}" for each in wrong)


def table(found: Mapping[str, Any]) -> str:
    """The closing words."""
    names = ("runs", "schedules", "attempts", "acknowledged", "lost", "doubled", "altered", "outside_the_window",
             "other_findings", "not_played_to_the_end", "mutants", "mutants_caught")  # fmt: skip
    slowest = sorted(((time or 99.0, name) for name, time in found["recovery_s"].items()), reverse=True)[:5]
    lines = [", ".join(f"{name} {found[name]}" for name in names)]
    lines.append("slowest: " + ", ".join(f"{name} {time:.1f} s" for time, name in slowest))
    lines += [f"fsync order, {name}: {control['told']}" for name, control in found["fsync_order"].items()]
    lines += [f"not caught: {each['name']}" for each in found["planted_bugs"] if not each["caught_by"]]
    return "\n".join(lines)
