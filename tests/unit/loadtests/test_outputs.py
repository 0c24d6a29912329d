"""What the load tools print, as the comparison reads it."""

from pathlib import Path

import pytest

from loadtests.bench import wrk
from loadtests.bench.fixed_rate import content_length
from loadtests.bench.peers import pgbench

WRK = """Running 25s test @ http://127.0.0.1:8001
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    21.30ms    4.52ms  68.00ms   83.11%
  Non-2xx or 3xx responses: 3
"""
SUMMARY = (
    'bench: {"sent":6000,"answered":6000,"refused":3,"broken":0,"exhausted":false,'
    '"seconds":2.000117,"p50_ms":20.9,"p99_ms":41.2}'
)
PGBENCH = """pgbench (18.6)
transaction type: voter.pgbench
scaling factor: 1
query mode: prepared
number of clients: 64
number of threads: 1
maximum number of tries: 1
duration: 10 s
number of transactions actually processed: 34567
number of failed transactions: 0 (0.000%)
latency average = 18.455 ms
initial connection time = 301.518 ms
tps = 3467.812345 (without initial connection time)
"""


def test_the_scripts_line_is_read_from_wrks_output() -> None:
    load = wrk.parse_output(WRK + SUMMARY)
    assert (load.sent, load.answered, load.refused, load.accepted) == (6000, 6000, 3, 5997)
    assert (load.seconds, load.p99_ms, load.exhausted) == (2.000117, 41.2, False)


def test_output_without_the_line_is_told_with_its_last_words() -> None:
    with pytest.raises(wrk.LoadFailed, match="unable to connect"):
        wrk.parse_output("unable to connect to 127.0.0.1:1 Connection refused\n\n")
    with pytest.raises(wrk.LoadFailed, match="nothing"):
        wrk.parse_output("")


def test_a_broken_line_is_a_clear_failure() -> None:
    with pytest.raises(wrk.LoadFailed, match="cannot be read"):
        wrk.parse_output('bench: {"sent":1}\n')


def test_requests_are_found_again_in_their_file(tmp_path: Path) -> None:
    requests = [b"POST / HTTP/1.1\r\n\r\n{}", "POST /é HTTP/1.1\r\n\r\n".encode()]
    wrk.write_requests(tmp_path / "requests", requests)
    assert wrk.read_requests(tmp_path / "requests") == requests


def test_pgbenchs_report_is_read() -> None:
    assert pgbench.parse_output(PGBENCH) == pgbench.PgbenchRun(34567, 3467.812345, 18.455)


def test_failed_transactions_of_pgbench_are_no_measurement() -> None:
    with pytest.raises(wrk.LoadFailed, match="5 transactions"):
        pgbench.parse_output(PGBENCH.replace("failed transactions: 0", "failed transactions: 5"))


def test_a_pgbench_that_stopped_early_is_told_with_its_last_words() -> None:
    with pytest.raises(wrk.LoadFailed, match="syntax error"):
        pgbench.parse_output('voter.pgbench:3: syntax error in command "set"\n')


def test_the_length_of_an_answer_is_read_in_any_case() -> None:
    assert content_length(b"HTTP/1.1 201 Created\r\nContent-Length: 132\r\nx: y") == 132
    assert content_length(b"HTTP/1.1 204 No Content") == 0
