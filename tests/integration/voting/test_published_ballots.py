"""`ballots.csv`: every ballot once a group, in the order that checks need, whatever their number."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import msgspec
import pytest

from services.shared.ranking.bundle import parse_ballots
from services.voting import bundle, tally_store
from tests.integration.voting.conftest import Voting
from tests.support.rounds import round_message, rules_text

PATH = "/api/voting/v1/rounds/small/ballots.csv"
RULES = '[groups]\nby = ["level"]\n[publication]\nballots = "ballots"\nsmall_group_min = 5\n'
# 40 ballots: two choices of one level and one of another; three strata, two of them small; every tenth is excluded.
_FILL = """
INSERT INTO ballots (round_number, voter_key, period, reissue, ballot_id, choices, receipt, salt, stratum, route,
                     received_at, recorded_at)
SELECT $1, decode(md5(k::text), 'hex'), 0, 0, md5('b' || k)::uuid, ARRAY[1, 2, 1 + 2 * (1 + k % 2)]::smallint[],
       substring(sha256(k::text::bytea) FROM 1 FOR 12), decode(md5('s' || k), 'hex'),
       CASE WHEN k > 37 THEN '小区' WHEN k > 34 THEN '乙区' ELSE '五华区, "中"' END, 'sms', now(), now()
FROM generate_series(1, 40) AS k
"""
_EXCLUDE = """
INSERT INTO ballot_events (round_number, voter_key, ballot_id, state, reason, hold)
SELECT round_number, voter_key, ballot_id, state, 'r', gen_random_uuid()
FROM ballots CROSS JOIN unnest(ARRAY['held', 'excluded']) AS state
WHERE ballot_id IN (SELECT md5('b' || k)::uuid FROM generate_series(10, 40, 10) AS k)
"""
# What sealing keeps of them; the files' own counts are checked against the ledger.
_SEAL = """
INSERT INTO tallies (round_number, version, digest, content, sealed_at, sealed_by, events_until)
SELECT $1, 1, 'd', '{}', now(), 'rules', max(id) FROM ballot_events
"""


@pytest.fixture
async def published(voting: Voting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Voting:
    """A round whose ranking is public, and runs so short that many have to be merged."""
    monkeypatch.setattr(bundle, "RUN_BALLOTS_MAX", 7)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    message = round_message(rules_text(more=RULES))
    await voting.add_round(message)
    frozen = voting.context.rounds.get("small")
    assert frozen is not None
    await voting.context.pool.execute(_FILL, frozen.number)
    await voting.context.pool.execute(_EXCLUDE)
    await voting.context.pool.execute(_SEAL, frozen.number)
    assert (await voting.http.get(PATH)).json()["reason"] == "not_published"
    await voting.add_round(msgspec.structs.replace(message, version=2, ranking_version=1))
    return voting


async def test_every_ballot_stands_once_a_group_in_strict_order(published: Voting) -> None:
    answer = await published.http.get(PATH)
    assert answer.headers["content-type"].startswith("text/csv")
    head, *lines = answer.text.splitlines()
    assert head == "ballot,state,choices,stratum"
    assert len(lines) == 80
    numbers = [line.split(",")[0] for line in lines]
    assert numbers == sorted(set(numbers))
    assert sum(",excluded," in line for line in lines) == 8
    # The small strata are the rest, and the other keeps its name, comma and quotes.
    assert sum(line.endswith(',"五华区, ""中"""') for line in lines) == 68
    assert sum(line.endswith(",") for line in lines) == 12


async def test_its_counts_are_the_tally_s(published: Voting) -> None:
    answer = await published.http.get(PATH)
    counts = parse_ballots(io.BytesIO(answer.content), {f"c{k}" for k in range(1, 7)})
    total: dict[str, int] = {}
    for (candidate, _), votes in counts.items():
        total[candidate] = total.get(candidate, 0) + votes
    assert (total["c1"], total["c2"], total["c3"] + total["c5"]) == (36, 36, 36)


def left_in(folder: Path) -> list[Path]:
    return list(folder.glob("pingxuan-ballots-*"))


async def test_it_leaves_nothing_on_disk_also_where_nobody_reads_on(published: Voting, tmp_path: Path) -> None:
    frozen = published.context.rounds.get("small")
    assert frozen is not None
    sealed = await tally_store.newest(published.context.pool, frozen.number)
    assert sealed is not None
    blocks = bundle.ballots_csv(published.context.pool, frozen, b"secret", sealed)
    await anext(blocks)
    assert left_in(tmp_path)
    await blocks.aclose()
    await published.http.get(PATH)
    assert not left_in(tmp_path)
