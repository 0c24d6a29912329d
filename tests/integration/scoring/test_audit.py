"""The invariants are silent after a whole round, and each speaks when its rule is broken."""

from __future__ import annotations

import pytest

from services.scoring.audit import INVARIANTS
from tests.integration.scoring.conftest import Scoring, scored_rules
from tests.support.damage import break_each
from tests.support.waiting import wait_until

_VERSION = (
    "INSERT INTO sheet_versions (round, candidate, expert, version, act, state, marks, comment, actor, reason, at)"
    " VALUES ('small', 'c1', '{expert}', {version}, '{act}', 'draft', '{{}}', '', '{expert}', 'x', now());"
)
_GHOST = (
    "INSERT INTO sheets (round, candidate, expert, version, state, marks, comment, may_finish, saved_at)"
    " VALUES ('{round}', 'c1', 'ghost', 1, 'draft', '{{}}', '', false, now());"
)
_PANEL = "INSERT INTO drawn_panels VALUES ('small', 1, 'w', '[]', '{by}', 'bob', now() - interval '1 hour');"
_DRAW = "INSERT INTO draws VALUES ('small', 1, encode(sha256('{seed}'), 'hex'), 's', '', '{{}}', 'ann', now());"
_PAPER = "INSERT INTO papers VALUES ('CODE', 'small', 'c1', 'li', 'ann', now());"
# What a bug or an attacker with the owner's rights would leave behind, and the invariant that must speak.
DAMAGE = {
    "a submitted sheet has a mark for every criterion": "UPDATE sheets SET marks = marks - 'effect'",
    "a sheet has no mark for an unknown criterion": 'UPDATE sheets SET marks = marks || \'{"charm": "1"}\'',
    "a sheet is what its newest version says": 'UPDATE sheets SET marks = marks || \'{"effect": "100"}\'',
    "versions of a sheet are numbered from 1 without a gap": _VERSION.format(expert="xu", version=9, act="saved"),
    "only members of the panel have sheets": _GHOST.format(round="small"),
    "where a panel was drawn, only seats have sheets": _PANEL.format(by="ann"),
    "where a panel was drawn, the letter was signed before the first mark": _PANEL.format(by="ann")
    + _VERSION.format(expert="xu", version=9, act="saved"),
    "a draw's seed is the one that was promised": _DRAW.format(seed="other"),
    "a draw was promised by one person and made by another": _DRAW.format(seed="s") + _PANEL.format(by="li"),
    "what came from paper was entered alike by two clerks": _PAPER
    + _VERSION.format(expert="li", version=9, act="entered"),
    "a recomputation starts from a published version": "INSERT INTO recomputations VALUES ('small', 2, 1,"
    " 'objection_upheld', 'x');"
    " DELETE FROM publications",
    "a publication names two different people, one of them the proposer": "UPDATE publications SET proposed_by = 'eve'",
    "a ranking rests on the round's frozen rules": "UPDATE ranking_files SET body = '' WHERE name = 'rules.toml'",
    "a ranking's file is the one its digest names": "UPDATE ranking_files SET body = '' WHERE name = 'ranking.csv'",
    "a ranking names the tally it rests on": "UPDATE rankings SET tally_digest = repeat('0', 64)",
    "a ranking's statistics were made from what it rests on": "UPDATE ranking_statistics SET inputs_digest = 'x'",
    "a withdrawn key was not used afterwards": "INSERT INTO reader_keys (name, hash, made_by, made_at, last_used_on,"
    " withdrawn_by, withdrawn_at) VALUES ('x', 'x', 'sec', now(), current_date + 2, 'sec', now())",
    "a scan is the file that its digest names": "INSERT INTO paper_scans VALUES ('CODE', repeat('0', 64),"
    " 'application/pdf', 'x', 'ann', now())",
    "every publication left exactly one message": "DELETE FROM outbox",
}


@pytest.fixture
async def whole_round(office: Scoring) -> Scoring:
    """A round that was scored and published, with its statistics."""
    await office.add_round(scored_rules(), experts=["xu", "li"])
    for candidate, mark in (("c1", "90"), ("c2", "80"), ("c3", "70")):
        for expert in ("xu", "li"):
            await office.score(expert, candidate, mark, mark)
    await office.add_tally({"c1": 300, "c2": 200, "c3": 100})
    assert (await office.call("POST", "/rounds/small/rankings", "ann")).status_code == 201
    assert (await office.call("POST", "/rounds/small/rankings/1/confirmations", "bob")).status_code == 201

    async def made() -> bool:
        return bool(await office.desk.pool.fetchval("SELECT count(*) FROM ranking_statistics"))

    await wait_until(made, 60, "the statistics are made")
    return office


async def test_every_invariant_is_silent_until_its_rule_is_broken(whole_round: Scoring) -> None:
    for name, query in INVARIANTS.items():
        assert await whole_round.desk.pool.fetch(query) == [], name
    assert DAMAGE.keys() == INVARIANTS.keys()
    await break_each(whole_round.database.admin_url, DAMAGE, INVARIANTS)
