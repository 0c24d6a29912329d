"""From a round, its counts and sheets to files and a ranking: reproducible, pseudonymous, and named by digests."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from services.scoring.bundles import bundle_zip
from services.scoring.combination import combine, input_files, inputs_digest, pseudonym, sheets_digest
from services.scoring.rankings import open_tally
from services.scoring.records import Ranking, Sheet, SheetState
from services.scoring.results import events_of, public_body, ranking_body
from services.scoring.rounds import Round, read_round
from services.shared.keys import SealBroken, seal
from services.shared.messages import ExclusionCount, RoundEvent, TallyContent, VoteCount, encode
from services.shared.ranking.bundle import parse_events, rank_bundle, read_bundle
from services.shared.ranking.ranking import ranking_csv
from tests.support.rounds import round_message

KEY = bytes(32)
RULES = """schema = 1
[round]
id = "small"
[[criteria]]
id = "idea"
weight = "0.5"
max = "100"
[[criteria]]
id = "effect"
weight = "0.5"
max = "100"
[experts]
aggregate = "trimmed_mean"
trim_low = 1
trim_high = 1
panel_min = 3
{experts}
[combination]
votes = "0.5"
experts = "0.5"
decimals = 2
{more}
"""


def frozen(experts: str = "", more: str = "", **changes: object) -> Round:
    message = round_message(RULES.format(experts=experts, more=more), count=2)
    return read_round(encode(msgspec.structs.replace(message, **changes)))


def sheets(*names: str) -> list[Sheet]:
    """Expert k gives candidate c1 60 + 10k and 50, and c2 five less."""
    return [
        Sheet("small", candidate, name, 1, SheetState.SUBMITTED, {"idea": str(60 + 10 * k - less), "effect": "50"})
        for candidate, less in (("c1", 0), ("c2", 5))
        for k, name in enumerate(names)
    ]


TALLY = TallyContent(
    round="small",
    counts=[VoteCount("c1", "north", 30), VoteCount("c1", "south", 4), VoteCount("c2", "north", 25)],
    exclusions=[ExclusionCount("同一设备", "c1", "2020-10-23", 2), ExclusionCount("同一设备", "c2", "2020-10-23", 1)],
    ballots=59,
    excluded=2,
    turnout=61,
)


def test_the_bundle_gives_the_very_ranking_that_was_computed(tmp_path: Path) -> None:
    combined = combine(input_files(frozen(), TALLY, sheets("a", "b", "c"), KEY))
    made = Ranking("small", 1, combined.ranking.rules_digest, 1, "t", "s", "i", "d", "pingxuan test", "ann", None)  # type: ignore[arg-type]
    for auditor in (False, True):
        path = tmp_path / f"{auditor}.zip"
        path.write_bytes(bundle_zip(made, combined.files, auditor))
        assert ranking_csv(rank_bundle(read_bundle(path))) == combined.files["ranking.csv"]
        assert path.read_bytes() == bundle_zip(made, combined.files, auditor)


def test_each_total_shows_how_it_was_made() -> None:
    """c1's idea: 60, 70, 80 without the lowest and highest is 70; effect 50; 0.5 · 70 + 0.5 · 50 = 60 points.
    Votes are raw: 34 for c1. Total 0.5 · 34 + 0.5 · 60 = 47."""
    round_ = frozen()
    combined = combine(input_files(round_, TALLY, sheets("a", "b", "c"), KEY))
    first = ranking_body(round_, combined.ranking, TALLY)["rows"][0]
    assert (first["candidate"], first["votes"], first["total"]) == ("c1", 34, "47.00")
    assert first["criteria"][0] == {"criterion": "idea", "aggregate": "70", "component": "35", "dropped": ["60", "80"]}
    assert "expert" not in str(first["criteria"])


def test_experts_are_linkable_only_where_the_method_needs_it() -> None:
    def names(round_: Round) -> set[str]:
        rows = input_files(round_, None, sheets("a", "b", "c"), KEY)["scores.csv"].decode().splitlines()[1:]
        return {row.split(",")[0] for row in rows}

    assert len(names(frozen())) == 6
    assert len(names(frozen(experts='order = "sheet_first"'))) == 3


def test_a_pseudonym_depends_on_key_round_candidate_and_expert() -> None:
    base = pseudonym(KEY, "r", "c", "e")
    others = {pseudonym(bytes([1]) * 32, "r", "c", "e"), pseudonym(KEY, "s", "c", "e")}
    others |= {pseudonym(KEY, "r", "d", "e"), pseudonym(KEY, "r", "c", "f")}
    assert base not in others
    assert len(others) == 4


def test_the_order_of_sheets_and_counts_changes_no_byte() -> None:
    straight = input_files(frozen(), TALLY, sheets("a", "b", "c"), KEY)
    turned = msgspec.structs.replace(TALLY, counts=TALLY.counts[::-1])
    assert input_files(frozen(), turned, sheets("a", "b", "c")[::-1], KEY) == straight


def test_only_what_the_ranking_rests_on_makes_it_stale() -> None:
    base = input_files(frozen(), TALLY, sheets("a", "b", "c"), KEY)
    at = round_message("").frozen_at
    told = frozen(events=[RoundEvent(at, "published", "")])
    assert inputs_digest(input_files(told, TALLY, sheets("a", "b", "c"), KEY)) == inputs_digest(base)
    marks = sheets("a", "b", "c")
    marks[0] = replace(marks[0], marks={"idea": "1", "effect": "50"})
    changed = input_files(frozen(), TALLY, marks, KEY)
    assert inputs_digest(changed) != inputs_digest(base)
    assert sheets_digest(changed) != sheets_digest(base)


def test_strata_below_the_minimum_are_published_as_the_rest() -> None:
    publication = "[publication]\nsmall_group_min = 20"
    files = input_files(frozen(more=publication), TALLY, [], KEY)
    assert files["votes.csv"].decode() == "candidate,votes\nc1,34\nc2,25\n"
    files = input_files(frozen(), TALLY, [], KEY)
    assert "c1,4,south" in files["votes.csv"].decode()


def test_a_candidate_without_votes_has_a_row() -> None:
    alone = msgspec.structs.replace(TALLY, counts=[VoteCount("c1", "", 3)])
    assert input_files(frozen(), alone, [], KEY)["votes.csv"].decode() == "candidate,votes\nc1,3\nc2,0\n"


def test_the_public_sees_the_selected_only_where_the_rules_say_so() -> None:
    more = '[selection]\nplaces = { all = 1 }\n[publication]\nranking = "selected"'
    round_ = frozen(more=more)
    combined = combine(input_files(round_, TALLY, sheets("a", "b", "c"), KEY))
    body = ranking_body(round_, combined.ranking, TALLY)
    assert [row["candidate"] for row in body["rows"]] == ["c1", "c2"]
    assert [row["candidate"] for row in public_body(body, round_.rules)["rows"]] == ["c1"]
    assert b"c2" not in combined.files["ranking.csv"]


def test_events_and_seed_stand_in_the_bundle(tmp_path: Path) -> None:
    at = round_message("").frozen_at
    round_ = frozen(events=[RoundEvent(at, "extension", "2 小时")], lots_seed='a"b')
    files = input_files(round_, TALLY, sheets("a", "b", "c"), KEY)
    assert "extension,2 小时" in files["events.csv"].decode()
    made = Ranking("small", 1, "r", 1, "t", "s", "i", "d", "pingxuan test", "ann", at)
    path = tmp_path / "bundle.zip"
    path.write_bytes(bundle_zip(made, combine(files).files, False))
    assert read_bundle(path).lots_seed == 'a"b'


def test_events_of_registry_and_voting_are_one_list_in_order_of_time_each_once() -> None:
    at = round_message("").frozen_at
    frozen_at, extended, closed = (RoundEvent(at + timedelta(hours=k), f"event{k}", "甲") for k in range(3))
    round_ = frozen(events=[closed, frozen_at])
    tally = msgspec.structs.replace(TALLY, events=[extended, closed])
    combined = combine(input_files(round_, tally, sheets("a", "b", "c"), KEY))
    told = parse_events(combined.files["events.csv"])
    assert [each.event for each in told] == ["event0", "event1", "event2"]
    body = msgspec.json.decode(msgspec.json.encode(ranking_body(round_, combined.ranking, tally)))
    assert events_of(round_, body) == [frozen_at, extended, closed]
    # A body of before, and a registry that went on meanwhile.
    later = RoundEvent(at + timedelta(days=1), "published", "")
    assert events_of(frozen(events=[frozen_at, later]), {}) == [frozen_at, later]


@pytest.mark.parametrize(("experts", "given"), [("0.5", True), ("0", False)])
def test_without_sheets_the_experts_side_is_given_only_if_it_weighs(experts: str, given: bool) -> None:
    text = RULES.format(experts="", more="").replace('experts = "0.5"', f'experts = "{experts}"')
    round_ = read_round(encode(round_message(text, count=2)))
    assert ("scores.csv" in input_files(round_, TALLY, [], KEY)) is given


def test_a_tally_opens_only_with_its_key_its_round_and_its_digest() -> None:
    plain = msgspec.json.encode(TALLY)
    digest, sealed = sha256(plain).hexdigest(), seal(KEY, plain, b"small")
    assert open_tally(KEY, "small", sealed, digest) == TALLY
    for key, round_id, named in ((bytes([1]) * 32, "small", digest), (KEY, "other", digest), (KEY, "small", "0" * 64)):
        with pytest.raises(SealBroken):
            open_tally(key, round_id, sealed, named)
