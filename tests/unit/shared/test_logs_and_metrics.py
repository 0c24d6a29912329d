"""Logs are one JSON object a line; metrics of several workers add up to one page."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from services.shared import logs, metrics
from services.shared.logs import JsonFormatter

ONE = """# HELP http_requests_total Requests answered.
# TYPE http_requests_total counter
http_requests_total{method="GET",route="/a",status="200"} 3.0
http_requests_total{method="GET",route="/b",status="200"} 1.0
# HELP http_requests_created When.
# TYPE http_requests_created gauge
http_requests_created{method="GET",route="/a",status="200"} 1.7e+09
# HELP seconds Time.
# TYPE seconds histogram
seconds_bucket{le="0.1"} 1.0
seconds_bucket{le="+Inf"} 2.0
seconds_count 2.0
seconds_sum 0.7
# HELP in_flight Now.
# TYPE in_flight gauge
in_flight 4.0
"""


def samples(text: str) -> dict[str, float]:
    return {
        sample.name + "".join(f"[{value}]" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def line(record: logging.LogRecord) -> dict[str, object]:
    text = JsonFormatter("voting").format(record)
    assert "\n" not in text
    found: dict[str, object] = json.loads(text)
    return found


def record(message: str, **extra: object) -> logging.LogRecord:
    return logging.getLogger("x").makeRecord("x", logging.INFO, "f", 1, message, (), None, extra=dict(extra))


def test_a_line_is_one_json_object_with_its_extras() -> None:
    entry = line(record("batch repeated\nwith a break", attempt=2, path=Path("a")))
    assert (entry["event"], entry["service"], entry["level"]) == ("batch repeated\nwith a break", "voting", "info")
    assert (entry["attempt"], entry["path"]) == (2, "a")
    assert "request_id" not in entry


def test_a_line_carries_the_request_it_belongs_to() -> None:
    token = logs.request_id.set("abcdef12")
    try:
        assert line(record("x"))["request_id"] == "abcdef12"
    finally:
        logs.request_id.reset(token)


def test_the_metrics_of_workers_add_up() -> None:
    merged = samples(metrics.merge([ONE, ONE]).decode())
    assert merged["http_requests_total[GET][/a][200]"] == 6
    assert merged["http_requests_total[GET][/b][200]"] == 2
    assert merged["seconds_bucket[0.1]"] == 2
    assert merged["seconds_bucket[+Inf]"] == 4
    assert merged["seconds_sum"] == 1.4
    assert merged["in_flight"] == 8


def test_a_worker_that_does_not_answer_leaves_the_others_whole() -> None:
    assert samples(metrics.merge([ONE, ""]).decode()) == samples(metrics.merge([ONE]).decode())


async def test_the_page_is_served_on_a_socket_and_nothing_else_is(tmp_path: Path) -> None:
    import asyncio

    page = await metrics.serve_metrics(metrics.own_exposition, path=tmp_path / "w.sock")
    async with page:
        assert "# TYPE http_requests_total counter" in await metrics.fetch(tmp_path / "w.sock")
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "w.sock"))
        writer.write(b"GET /other HTTP/1.1\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 404")
        writer.close()
    assert await metrics.fetch(tmp_path / "w.sock") == ""


def test_of_a_lag_the_worst_worker_is_told_and_of_a_queue_the_sum() -> None:
    one = "# TYPE lag_seconds gauge\nlag_seconds -0.4\n# TYPE queue_length gauge\nqueue_length 2\n"
    two = "# TYPE lag_seconds gauge\nlag_seconds 0.1\n# TYPE queue_length gauge\nqueue_length 3\n"
    text = metrics.merge([one, two]).decode()
    assert "lag_seconds -0.4" in text
    assert "queue_length 5.0" in text


def test_whoever_does_not_lead_tells_nothing_of_elected_steps() -> None:
    """A worker that lost the lead would else be added to the one that leads now."""
    metrics.follower_lag_entries.labels("registry.rounds").set(7)
    metrics.postgres_connections.set(20)
    metrics.http_in_flight.inc(3)
    metrics.forget_elected()
    text = generate_latest(REGISTRY).decode()
    metrics.http_in_flight.dec(3)
    assert "follower_lag_entries{" not in text
    assert "postgres_connections 0.0" in text
    assert "http_in_flight 3.0" in text
