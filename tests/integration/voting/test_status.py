"""The status of a service: for those on duty, whole, and silent about candidates, voters and numbers of phones."""

from __future__ import annotations

import pytest
from prometheus_client import Counter, Gauge

from services.cli.supervisor import PlatformServers
from services.shared import metrics as shared_metrics
from services.shared.status import Samples
from services.voting import metrics, tally, watch, watch_store
from tests.integration.voting.conftest import Voting
from tests.integration.voting.office import Office
from tests.support.rounds import round_message, rules_text

STATUS = "/api/voting/v1/status"


@pytest.fixture
async def office(voting: Voting, servers: PlatformServers) -> Office:
    await voting.add_round(round_message(rules_text()))
    office = Office(voting, servers)
    for name, role in (("olga", "operator"), ("ann", "administrator"), ("bob", "administrator"), ("hal", "helper")):
        await office.add(name, role)
    return office


async def test_an_operator_sees_how_voting_is_and_no_candidate(voting: Voting, office: Office) -> None:
    citizen = voting.citizen()
    await citizen.sign_in()
    receipt = (await citizen.vote(["c3"])).json()["receipt"]
    await office.exclude(receipt)
    answer = await voting.http.get(STATUS, headers={"authorization": f"Bearer {office.token('olga')}"})
    told = answer.json()
    assert (answer.status_code, told["service"], told["checks"]["database"]) == (200, "voting", "ok")
    assert told["database"]["connections"] >= 1
    assert told["valkey"]["answer_ms"] > 0
    assert {each["stream"] for each in told["follows"]} == {"registry.rounds", "registry.staff"}
    assert [(each["stream"], each["waiting"]) for each in told["publishes"]] == [
        ("voting.tallies", 0),
        ("voting.windows", 0),
    ]
    assert told["ballots"]["decisions"]["recorded"] >= 1
    assert told["ballots"]["seconds"]["buckets"][-1][0] is None
    assert told["codes"]["spent"]["minute"] >= 1
    assert told["holds"] == [{"reason": "stolen_identity", "state": "excluded", "ballots": 1}]
    assert (told["blocks"]["restored"], told["blocks"]["decided"]) == (0, 1)
    assert [(each["round"], each["phase"]) for each in told["windows"]] == [("small", "open")]
    for word in ("c3", "项目", "单位", "区0", citizen.phone, receipt):
        assert word not in answer.text


async def test_the_gauges_of_the_vote_tell_the_same_and_name_no_round(voting: Voting, office: Office) -> None:
    citizen = voting.citizen()
    await citizen.sign_in()
    passed = voted(metrics.turnstile_decisions_total, "passed")
    receipt = (await citizen.vote(["c3"])).json()["receipt"]
    assert voted(metrics.turnstile_decisions_total, "passed") == passed + 1
    assert metrics.batch_wait_seconds._sum.get() > 0
    await office.exclude(receipt)
    other = voting.citizen()
    await other.sign_in()
    await other.vote(["c1"])
    while (await watch_store.tally_lag(voting.context.pool))[0]:
        await tally.count_once(voting.context.pool)
    await watch.watch_once(voting.context)
    assert voted(metrics.voting_rounds, "open") == 1
    assert voted(metrics.voting_turnout, "open") == 2
    assert voted(metrics.voting_ballots, "open", "recorded") == voted(metrics.voting_ballots, "open", "excluded") == 1
    assert voted(metrics.suspected_ballots, "stolen_identity", "excluded") == 1
    assert (voted(metrics.decided_ballots, "restored"), voted(metrics.decided_ballots, "excluded")) == (0, 1)
    assert metrics.voting_closes_in_seconds._value.get() > 0
    assert voted(metrics.codes_spent, "minute") >= 2
    assert metrics.tally_lag_ballots._value.get() == 0


def voted(metric: Counter | Gauge, *labels: str) -> float:
    return float(metric.labels(*labels)._value.get())


async def test_status_is_for_those_on_duty(voting: Voting, office: Office) -> None:
    assert (await voting.http.get(STATUS)).status_code == 401
    helper = await voting.http.get(STATUS, headers={"authorization": f"Bearer {office.token('hal')}"})
    assert helper.status_code == 403


async def test_status_counts_the_workers_together() -> None:
    """What several workers expose is looked up as one: sums by a label, and one distribution over all labels."""
    one = (
        b"# TYPE http_request_seconds histogram\n"
        b'http_request_seconds_bucket{le="0.1",route="/a"} 2\nhttp_request_seconds_bucket{le="+Inf",route="/a"} 3\n'
        b'http_request_seconds_sum{route="/a"} 1.5\nhttp_request_seconds_count{route="/a"} 3\n'
        b'# TYPE refusals counter\nrefusals_total{reason="overloaded"} 1\nrefusals_total{reason="forbidden"} 0\n'
    ).decode()
    samples = Samples(shared_metrics.merge([one, one.replace("/a", "/b")]).decode())
    histogram = samples.histogram("http_request_seconds")
    assert (histogram.count, histogram.sum, histogram.buckets) == (6, 3.0, [(0.1, 4), (None, 6)])
    assert samples.by("refusals_total", "reason") == {"overloaded": 2}
    assert (samples.total("refusals_total", reason="overloaded"), samples.total("nothing")) == (2, 0)
