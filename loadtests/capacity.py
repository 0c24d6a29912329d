"""How many machines for how many voters: from measured unit costs to worker processes, PostgreSQL, Valkey and proxies.

    python -m loadtests.capacity                  # the table, from loadtests/results/bench.json
    python -m loadtests.capacity --write          # the same into loadtests/README.md

Every figure is an interval: the least and the greatest unit cost of the measured rounds go through the same formulas as
the median. The model is checked against the largest runs of the same `bench.json`: what it promises at its utilisation
must lie below what the machine of that run really took. A core is a core of that machine.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

FOLDER = Path(__file__).parent
RESULTS, README = FOLDER / "results" / "bench.json", FOLDER / "README.md"
GROWTH = FOLDER / "results" / "growth.json"
MARKS = ("<!-- capacity -->", "<!-- /capacity -->")
VOTERS = (10**4, 10**5, 10**6, 10**7, 10**8)
STATED_PER_S = 60_000
CORES_OF_TEST, US_PER_S = 2, 1_000_000


class Range(msgspec.Struct, frozen=True):
    """A value with its error bars; arithmetic is done on each bound, since all formulas grow with every unit cost."""

    low: float
    middle: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.middle + other.middle, self.high + other.high)

    def times(self, factor: float) -> Range:
        return Range(self.low * factor, self.middle * factor, self.high * factor)

    def up(self, least: int = 1) -> Range:
        """Whole things, at least so many."""
        return Range(*(float(max(least, math.ceil(bound))) for bound in (self.low, self.middle, self.high)))


class Assumptions(msgspec.Struct, frozen=True):
    """What is not measured but decided; each may be said on the command line.

    `utilisation` is how much of a core is planned for; `busiest_hour_share` of all voters come in the busiest hour, and
    its busiest second brings `peak_over_mean` times the hour's mean. Everybody signs in shortly before voting.
    `requests_per_voter` pass the proxy: pages, static files, challenge, code, session, ballot, state.
    """

    utilisation: float = 0.6
    busiest_hour_share: float = 0.25
    peak_over_mean: float = 3.0
    requests_per_voter: float = 12.0
    cores_per_machine: int = 16
    postgres_cores_max: int = 32


class Costs(msgspec.Struct, frozen=True):
    """µs of CPU, from `bench.json`: per ballot by process, per sign-in by process, per request at the proxy."""

    voting: Range
    postgres: Range
    valkey: Range
    sign_in_voting: Range
    sign_in_postgres: Range
    proxy: Range


class Demand(msgspec.Struct, frozen=True):
    """The busiest second: ballots, and sign-ins (a token is good for an hour, so that either may come without)."""

    title: str
    ballots_per_s: float
    sign_ins_per_s: float
    voters: int = 0


class Plan(msgspec.Struct, frozen=True):
    """What one demand needs; whole things, with error bars."""

    demand: Demand
    workers: Range
    proxy_cores: Range
    postgres_cores: Range
    postgres_primaries: Range
    valkey_primaries: Range
    machines: Range


def costs(bench: Mapping[str, Any]) -> Costs:
    """Unit costs with their spread over the rounds.

    A whole sign-in was measured once and by process only in sum: it is divided as an unbatched ballot is, whose spread
    over the rounds it is given as well, since neither shares a round trip with anybody.
    """
    ours, alone = bench["contenders"]["ours"], bench["contenders"]["ours_unbatched"]
    once, proxied = bench["once"]["voter"], bench["once"]["through_proxy"]
    steps = once["cpu_us_challenge"] + once["cpu_us_code"] + once["cpu_us_session"]
    whole = alone["cpu_us_per_ballot"]
    spread = Range(whole["min"] / whole["median"], 1.0, whole["max"] / whole["median"])
    share = alone["cpu_us_postgres"]["median"] / whole["median"]
    return Costs(
        voting=_range(ours["cpu_us_voting"]),
        postgres=_range(ours["cpu_us_postgres"]),
        valkey=_range(ours["cpu_us_valkey"]),
        sign_in_voting=spread.times(steps * (1 - share)),
        sign_in_postgres=spread.times(steps * share),
        proxy=spread.times(proxied["cpu_us_caddy"]),
    )


def _range(spread: Mapping[str, float]) -> Range:
    return Range(spread["min"], spread["median"], spread["max"])


def peak_per_s(voters: float, assumed: Assumptions) -> float:
    """Ballots in the busiest second: voters · busiest_hour_share · peak_over_mean / 3600."""
    return voters * assumed.busiest_hour_share * assumed.peak_over_mean / 3600


def cores(per_s: float, cost: Range, assumed: Assumptions) -> Range:
    """Cores that so many a second keep busy at the planned utilisation: per_s · cost / (10⁶ · utilisation)."""
    return cost.times(per_s / (US_PER_S * assumed.utilisation))


def plan(demand: Demand, unit: Costs, assumed: Assumptions) -> Plan:
    """What a demand needs.

    With λ ballots and σ sign-ins a second: workers = ⌈cores(λ, ballot) + cores(σ, sign-in)⌉ at voting, a process using
    one core at most; PostgreSQL likewise, over ⌈cores / postgres_cores_max⌉ primaries (above one, the ledger is
    distributed), each with a standby as large; Valkey runs its script on one core: ⌈cores(λ, script)⌉ primaries, each
    with a replica; proxies see λ ballots, and the other `requests_per_voter` with each sign-in. machines =
    ⌈(workers + proxies + 2 · PostgreSQL + 2 · Valkey) / cores_per_machine⌉, at least two, so that a standby does not
    die with its primary.
    """
    ballots, sign_ins = demand.ballots_per_s, demand.sign_ins_per_s
    workers = (cores(ballots, unit.voting, assumed) + cores(sign_ins, unit.sign_in_voting, assumed)).up()
    postgres = cores(ballots, unit.postgres, assumed) + cores(sign_ins, unit.sign_in_postgres, assumed)
    valkey = cores(ballots, unit.valkey, assumed).up()
    requests = ballots + sign_ins * (assumed.requests_per_voter - 1)
    proxy = cores(requests, unit.proxy, assumed)
    all_cores = workers + proxy + postgres.times(2) + valkey.times(2)
    return Plan(
        demand, workers, proxy, postgres, postgres.times(1 / assumed.postgres_cores_max).up(), valkey,
        all_cores.times(1 / assumed.cores_per_machine).up(2),
    )  # fmt: skip


def demands(assumed: Assumptions) -> list[Demand]:
    peaks = [(voters, peak_per_s(voters, assumed)) for voters in VOTERS]
    return [
        *(Demand(f"{voters:,} voters", per_s, per_s, voters) for voters, per_s in peaks),
        Demand(f"{STATED_PER_S:,} ballots/s, as many sign-ins", STATED_PER_S, STATED_PER_S),
        Demand(f"{STATED_PER_S:,} ballots/s, signed in before", STATED_PER_S, 0),
    ]


class Check(msgspec.Struct, frozen=True):
    """A run at the largest size of the measuring machine: ballots/s that the model says it takes at most, and took."""

    name: str
    possible_per_s: float
    measured_per_s: float

    @property
    def efficiency(self) -> float:
        return self.measured_per_s / self.possible_per_s


def checks(bench: Mapping[str, Any], cores_of_test: int = CORES_OF_TEST) -> list[Check]:
    """measured ÷ possible for every form that `bench.json` ran flat out.

    possible = 10⁶ · cores / (the form's µs of CPU + the load tool's), and never more than one core of a single worker
    gives. The load tool's share is what the raw echo left of the machine: 10⁶ · cores / λ_echo − µs_echo.
    """
    contenders, once = bench["contenders"], bench["once"]
    echo = contenders["raw_asgi_echo"]
    capacity = US_PER_S * cores_of_test
    load_tool = capacity / echo["ballots_per_s"]["median"] - echo["cpu_us_per_ballot"]["median"]
    forms = {name: _medians(contenders[name]) for name in ("ours", "ours_unbatched")}
    forms["through the proxy"] = once["through_proxy"]
    return [
        Check(
            name,
            min(capacity / (form["cpu_us_per_ballot"] + load_tool), US_PER_S / form["cpu_us_voting"]),
            form["ballots_per_s"],
        )
        for name, form in forms.items()
    ]


def _medians(figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {name: spread["median"] for name, spread in figures.items()}


def disk(demand: Demand, ledger: Mapping[str, float]) -> str:
    """Of each PostgreSQL that holds all of it: ledger GB = voters · bytes / 10⁹, WAL MB/s = ballots/s · bytes / 10⁶.

    `ledger` is that part of `growth.json`; sign-ins write as well, and are not in it.
    """
    logged = f"{_number(demand.ballots_per_s * ledger['wal_bytes_per_ballot'] / 1e6)} MB/s"
    kept = f"{_number(demand.voters * ledger['bytes_per_ballot'] / 1e9)} GB, " if demand.voters else ""
    return kept + logged


def table(bench: Mapping[str, Any], assumed: Assumptions, ledger: Mapping[str, float] | None = None) -> str:
    """The table and its check, as Markdown; with the disk where `make growth` measured it."""
    unit = costs(bench)
    head = ("demand", "ballots/s", "voting processes", "proxy cores", "PostgreSQL cores", "PostgreSQL primaries")
    last = ("Valkey primaries", f"machines of {assumed.cores_per_machine} cores", *(("ledger, WAL",) if ledger else ()))
    lines = [_row((*head, *last)), _row(["---"] * len((*head, *last)))]
    for demand in demands(assumed):
        told = plan(demand, unit, assumed)
        parts = [told.workers, told.proxy_cores, told.postgres_cores, told.postgres_primaries, told.valkey_primaries]
        cells = [demand.title, f"{demand.ballots_per_s:,.1f}", *map(_shown, parts), _shown(told.machines)]
        lines.append(_row([*cells, *([disk(demand, ledger)] if ledger else [])]))
    lines += ["", f"Checked against commit `{bench['commit']}` at full load, ballots/s:", ""]
    lines += [_row(("run", "possible", "measured", "efficiency")), _row(["---"] * 4)]
    for check in checks(bench):
        lines.append(
            _row(
                (check.name, f"{check.possible_per_s:,.0f}", f"{check.measured_per_s:,.0f}", f"{check.efficiency:.2f}")
            )
        )
    lines += ["", _verdict(checks(bench), assumed)]
    return "\n".join(lines)


def _verdict(found: Sequence[Check], assumed: Assumptions) -> str:
    least = min(check.efficiency for check in found)
    side = (
        "below all of them: the model errs on the safe side" if is_safe(found, assumed) else "**not** below all of them"
    )
    return f"Planned utilisation {assumed.utilisation:g}, least efficiency measured {least:.2f}: {side}."


def is_safe(found: Sequence[Check], assumed: Assumptions) -> bool:
    """Whether every run really reached the share of the possible that plans count on."""
    return all(check.efficiency >= assumed.utilisation for check in found)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _shown(value: Range) -> str:
    if _number(value.low) == _number(value.high):
        return _number(value.middle)
    return f"{_number(value.middle)} ({_number(value.low)}–{_number(value.high)})"


def _number(value: float) -> str:
    """Whole from ten on, else two digits."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def write(text: str, file: Path = README) -> None:
    """Put the table between its marks; raises ValueError where the file has none."""
    before, _, rest = file.read_text("utf-8").partition(MARKS[0])
    _, mark, after = rest.partition(MARKS[1])
    if not mark:
        raise ValueError(f"{file.name} has no {MARKS[0]} … {MARKS[1]}")
    file.write_text(f"{before}{MARKS[0]}\n{text}\n{mark}{after}", "utf-8")


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests.capacity", description="From unit costs to machines.")
    parser.add_argument("--bench", type=Path, default=RESULTS, help="results of `make bench`")
    parser.add_argument("--write", action="store_true", help="write the table into loadtests/README.md")
    defaults = Assumptions()
    for name in Assumptions.__struct_fields__:
        kind = type(getattr(defaults, name))
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=getattr(defaults, name))
    options = parser.parse_args(given)
    if min(getattr(options, name) for name in Assumptions.__struct_fields__) <= 0 or options.utilisation > 1:
        parser.error("assumptions are above 0, and the utilisation is at most 1")
    return options


def main() -> int:
    options = arguments()
    assumed = Assumptions(**{name: getattr(options, name) for name in Assumptions.__struct_fields__})
    try:
        bench = msgspec.json.decode(options.bench.read_bytes())
        growth = msgspec.json.decode(GROWTH.read_bytes()) if GROWTH.exists() else {}
        text = table(bench, assumed, growth.get("ledger"))
        if options.write:
            write(text)
    except (OSError, ValueError, KeyError) as error:
        print(f"capacity: {options.bench} is no complete result of `make bench` ({error})", file=sys.stderr)
        return 2
    print(text)
    return 0 if is_safe(checks(bench), assumed) else 1


if __name__ == "__main__":
    raise SystemExit(main())
