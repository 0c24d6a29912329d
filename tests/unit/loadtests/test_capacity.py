"""The capacity model: its formulas on round numbers, its error bars, and its check against measured runs."""

from pathlib import Path

import msgspec
import pytest

from loadtests.capacity import (
    Assumptions,
    Costs,
    Demand,
    Range,
    checks,
    costs,
    disk,
    is_safe,
    peak_per_s,
    plan,
    table,
    write,
)

HALF = Assumptions(
    utilisation=0.5, busiest_hour_share=0.36, peak_over_mean=2, requests_per_voter=11, cores_per_machine=10
)


def same(value: float) -> Range:
    return Range(value, value, value)


def spread(value: float) -> dict[str, float]:
    return {"min": value * 0.5, "median": value, "max": value * 2}


def bench(ours_per_s: float = 2500.0) -> dict[str, object]:
    """A result whose load tool takes 2·10⁶ / 10,000 − 100 = 100 µs a request."""
    ours = {"voting": 200, "postgres": 100, "valkey": 20}
    alone = {"voting": 600, "postgres": 300, "valkey": 100}

    def contender(parts: dict[str, int], per_s: float) -> dict[str, dict[str, float]]:
        found = {f"cpu_us_{name}": spread(value) for name, value in parts.items()}
        return found | {"cpu_us_per_ballot": spread(sum(parts.values())), "ballots_per_s": spread(per_s)}

    return {
        "commit": "abc",
        "contenders": {
            "ours": contender(ours, ours_per_s),
            "ours_unbatched": contender(alone, 1000),
            "raw_asgi_echo": contender({"raw_echo": 100}, 10_000),
        },
        "once": {
            "voter": {"cpu_us_challenge": 1000.0, "cpu_us_code": 5000.0, "cpu_us_session": 2000.0},
            "through_proxy": {
                "cpu_us_caddy": 300.0, "cpu_us_voting": 200.0, "cpu_us_per_ballot": 700.0, "ballots_per_s": 1500.0,
            },
        },
    }  # fmt: skip


def test_a_plan_follows_its_formulas() -> None:
    """1,000 ballots and 100 sign-ins a second, half of every core planned for."""
    unit = Costs(same(200), same(100), same(300), same(4000), same(2000), same(50))
    found = plan(Demand("x", 1000, 100), unit, HALF)
    assert found.workers == same(2)  # ⌈(1000·200 + 100·4000) / 500,000⌉
    assert found.postgres_cores.middle == pytest.approx(0.6)
    assert found.valkey_primaries == same(1)  # ⌈0.6⌉
    assert found.proxy_cores.middle == pytest.approx(0.2)  # (1000 + 100·10) · 50
    assert found.machines == same(2)  # never one: a standby must not die with its primary
    assert peak_per_s(36_000, HALF) == pytest.approx(7.2)


def test_error_bars_are_the_least_and_the_greatest_unit_costs() -> None:
    unit = costs(bench())
    assert unit.voting == Range(100, 200, 400)
    # A sign-in is divided, and spread, as an unbatched ballot: three tenths of it are PostgreSQL's.
    assert unit.sign_in_postgres == Range(1200, 2400, 4800)
    found = plan(Demand("x", 10_000, 0), unit, HALF).workers
    assert (found.low, found.middle, found.high) == (2, 4, 8)


def test_disk_is_told_of_what_was_measured() -> None:
    ledger = {"bytes_per_ballot": 500.0, "wal_bytes_per_ballot": 1000.0}
    assert disk(Demand("x", 2000, 2000, voters=10_000_000), ledger) == "5 GB, 2 MB/s"
    assert disk(Demand("x", 60_000, 0), ledger) == "60 MB/s"
    assert "WAL" in table(bench(), HALF, ledger)
    assert "WAL" not in table(bench(), HALF)


def test_a_machine_that_took_less_than_is_planned_for_fails_the_check() -> None:
    (ours, unbatched, proxied) = checks(bench())
    assert ours.possible_per_s == pytest.approx(2_000_000 / (320 + 100))
    assert unbatched.efficiency == pytest.approx(0.6)  # one worker gives no more than 1,000,000 / 600
    assert proxied.possible_per_s == pytest.approx(2500)
    assert is_safe([ours, unbatched, proxied], HALF)
    assert not is_safe(checks(bench(ours_per_s=2000)), HALF)


def test_the_table_goes_between_its_marks_and_nowhere_else(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("before\n<!-- capacity -->\nold\n<!-- /capacity -->\nafter\n", "utf-8")
    write(table(msgspec.json.decode(msgspec.json.encode(bench())), HALF), file)
    text = file.read_text("utf-8")
    assert text.startswith("before\n<!-- capacity -->\n| demand |")
    assert text.endswith("\n<!-- /capacity -->\nafter\n")
    assert "old" not in text
    file.write_text("nothing", "utf-8")
    with pytest.raises(ValueError, match="capacity"):
        write("x", file)
