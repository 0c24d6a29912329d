"""The /proc parsers of the comparison: CPU of process trees, memory."""

import os

import pytest

from loadtests.bench.processes import Stat, cpu_us, memory_mb, parse_stat, parse_status_kb, tree


def stat_line(pid: int, parent: int, name: str, times: str) -> str:
    return (
        f"{pid} ({name}) S {parent} {pid} {pid} 0 -1 4194560 1 2 3 4 {times} 20 0 1 0 777 1000 200 18446744073709551615"
    )


def test_cpu_is_user_and_system_time_with_that_of_children_that_ended() -> None:
    assert parse_stat(stat_line(42, 7, "postgres", "100 20 3 4")) == Stat(42, 7, 127)


def test_a_process_name_may_hold_parentheses_and_digits() -> None:
    assert parse_stat(stat_line(42, 7, "tmux: (a) 1 2) S 9", "5 6 7 8")) == Stat(42, 7, 26)


def test_a_torn_line_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 17 fields"):
        parse_stat("42 (postgres) S 7 42")


def test_a_tree_holds_grandchildren_and_no_strangers() -> None:
    stats = {pid: Stat(pid, parent, 1) for pid, parent in ((1, 0), (2, 1), (3, 2), (4, 1), (9, 0))}
    assert sorted(stat.pid for stat in tree(1, stats)) == [1, 2, 3, 4]
    assert tree(77, stats) == []


def test_our_own_cpu_grows_and_a_process_that_ended_is_an_error() -> None:
    first = cpu_us({"us": os.getpid()})["us"]
    assert cpu_us({"us": os.getpid()})["us"] >= first > 0
    with pytest.raises(ProcessLookupError, match="ghost"):
        cpu_us({"ghost": 2**30})


def test_memory_is_read_in_kilobytes() -> None:
    text = "Name:\tpython\nVmHWM:\t  90000 kB\nVmRSS:\t  81920 kB\nThreads:\t3\n"
    assert parse_status_kb(text, "VmRSS") == 81920
    assert parse_status_kb(text, "VmSwap") == 0
    assert memory_mb([os.getpid(), 2**30]) > 1
    assert memory_mb([]) == 0
