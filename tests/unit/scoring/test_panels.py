"""Panels by lot and balanced assignment: what always holds, whatever the pool, and known cases by hand."""

from __future__ import annotations

import random

import msgspec
import pytest

from services.scoring.panels.assignment import Unassignable, balanced, components, everybody
from services.scoring.panels.conflicts import Facts, Tie, conflicts, is_behind, ties
from services.scoring.panels.drawing import (
    Need,
    Panel,
    PoolExpert,
    Undrawable,
    commitment,
    draw,
    final_seed,
    lot,
    pool_digest,
)
from services.shared.messages import CandidateCard, Party


def pool_of(count: int, units: int = 100, skilled: int = 0) -> list[PoolExpert]:
    return [PoolExpert(f"e{k:02}", ("law",) if k < skilled else (), Facts(unit=f"u{k % units}")) for k in range(count)]


def panels_of(drawn: list[Panel] | Undrawable) -> list[Panel]:
    assert isinstance(drawn, list), drawn
    return drawn


def test_the_smallest_lots_take_the_seats_and_the_next_are_the_reserves() -> None:
    [panel] = panels_of(draw(pool_of(10), [Need("g", 4, reserves=2)], "seed"))
    order = sorted((each.expert for each in pool_of(10)), key=lambda name: lot("seed", "g", name))
    assert panel == Panel("g", tuple(order[:4]), tuple(order[4:6]))


@pytest.mark.parametrize("number", range(20))
def test_a_draw_is_the_same_in_any_order_of_the_pool_and_keeps_every_constraint(number: int) -> None:
    pool, seed = pool_of(40, units=12, skilled=8), f"seed {number}"
    needs = [Need("major", 5, fields={"law": 2}), Need("key", 7, unit_max=2, fields={"law": 1})]
    drawn = panels_of(draw(pool, needs, seed))
    shuffled = random.Random(number).sample(pool, len(pool))
    assert draw(shuffled, needs, seed) == drawn
    people = {each.expert: each for each in pool}
    for need, panel in zip(needs, drawn, strict=True):
        assert len(panel.members) == need.seats
        units = [people[name].facts.unit for name in panel.members]
        assert max(map(units.count, units)) <= need.unit_max
        assert sum("law" in people[name].fields for name in panel.members) >= need.fields["law"]
    everybody_drawn = [name for panel in drawn for name in (*panel.members, *panel.reserves)]
    assert len(everybody_drawn) == len(set(everybody_drawn))


def test_another_seed_draws_another_panel_and_chance_is_fair() -> None:
    counts = dict.fromkeys((each.expert for each in pool_of(10)), 0)
    for number in range(500):
        for name in panels_of(draw(pool_of(10), [Need("g", 3, reserves=0)], str(number)))[0].members:
            counts[name] += 1
    # Each is drawn in 150 of 500 on average; six standard deviations around it.
    assert all(90 < count < 210 for count in counts.values())


def test_whoever_is_in_conflict_too_often_is_not_drawn() -> None:
    tied = {"g": {f"e{k:02}": 1 for k in range(6)}}
    [panel] = panels_of(draw(pool_of(10), [Need("g", 4, reserves=0)], "s", tied))
    assert set(panel.members) == {"e06", "e07", "e08", "e09"}
    [some] = panels_of(draw(pool_of(10), [Need("g", 10, reserves=0, conflicts_max=1)], "s", tied))
    assert len(some.members) == 10


@pytest.mark.parametrize(
    ("need", "lacks"),
    [
        (Need("g", 9, reserves=0), "9 seats"),
        (Need("g", 4, reserves=5), "5 reserves"),
        (Need("g", 4, fields={"law": 3}), "field law"),
        (Need("g", 1, reserves=0, fields={"law": 2}), "seats for all"),
        (Need("g", 3, reserves=0, unit_max=1), "3 seats"),
    ],
)
def test_a_pool_that_cannot_fill_the_panel_says_what_it_lacks(need: Need, lacks: str) -> None:
    units = 2 if need.seats == 3 else 100
    drawn = draw(pool_of(8, units=units, skilled=2), [need], "s")
    assert isinstance(drawn, Undrawable)
    assert lacks in drawn.lacks


def test_promise_and_seed_are_plain_digests_that_anybody_recomputes() -> None:
    assert commitment("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert final_seed("a", "b") == commitment("a:b")
    assert pool_digest(pool_of(3)) == pool_digest(reversed(pool_of(3)))
    assert pool_digest(pool_of(3)) != pool_digest(pool_of(4))


@pytest.mark.parametrize("number", range(30))
def test_balanced_assignment_is_even_connected_and_free_of_conflicts(number: int) -> None:
    chance = random.Random(number)
    experts = [f"e{k}" for k in range(chance.randint(4, 12))]
    candidates = [f"c{k}" for k in range(chance.randint(len(experts), 40))]
    marks_each = chance.randint(2, min(4, len(experts) - 1))
    tied = {each: frozenset(chance.sample(candidates, 1)) for each in experts[:2]}
    duties = balanced(experts, candidates, marks_each, "seed", tied)
    assert not isinstance(duties, Unassignable)
    assert {len(chosen) for chosen in duties.values()} == {marks_each}
    loads = [sum(each in chosen for chosen in duties.values()) for each in experts]
    assert max(loads) - min(loads) <= 1
    assert len(components(duties, experts)) == 1
    assert all(each not in duties[next(iter(tied[each]))] for each in tied)
    assert balanced(experts, candidates, marks_each, "seed", tied) == duties


def test_parts_that_share_nobody_are_joined_without_changing_loads() -> None:
    """Two marks on 8 candidates by 8 experts: 16 sheets, one more than a tree; lots alone often fall apart."""
    for number in range(40):
        experts, candidates = [f"e{k}" for k in range(8)], [f"c{k}" for k in range(8)]
        tied = {f"e{k}": frozenset({f"c{k}", f"c{(k + 3) % 8}"}) for k in range(8)} if number % 2 else {}
        duties = balanced(experts, candidates, 2, str(number), tied)
        assert not isinstance(duties, Unassignable)
        assert all(each not in tied.get(name, ()) for each, chosen in duties.items() for name in chosen)
        assert len(components(duties, experts)) == 1
        assert {sum(each in chosen for chosen in duties.values()) for each in experts} == {2}


@pytest.mark.parametrize(
    ("experts", "candidates", "marks_each", "tied", "why"),
    [
        (5, 3, 2, {}, "cannot connect"),
        (3, 9, 3, {"e0": frozenset({"c4"})}, "c4 has only 2"),
    ],
)
def test_what_cannot_be_assigned_says_why(
    experts: int, candidates: int, marks_each: int, tied: dict[str, frozenset[str]], why: str
) -> None:
    names = [f"e{k}" for k in range(experts)], [f"c{k}" for k in range(candidates)]
    found = balanced(*names, marks_each, "s", tied)
    assert isinstance(found, Unassignable)
    assert why in found.why


def test_where_everybody_scores_everything_only_conflicts_are_left_out() -> None:
    duties = everybody(["a", "b"], ["c1", "c2"], {"a": frozenset({"c2"})})
    assert duties == {"c1": {"a", "b"}, "c2": {"b"}}


PARTIES = [Party("lead", "五华区民政局", "u-1"), Party("partner", "滇中大学", "u-2"), Party("partner", "同心促进会")]
CARD = CandidateCard(
    "c1", 1, "项目", "五华区民政局", "wuhua", "culture", "major", channel_title="五华区", parties=PARTIES
)


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        (Facts(), ()),
        (Facts(unit="五华区 民政局"), (Tie.UNIT,)),
        (Facts(channel="ＷＵＨＵＡ"), (Tie.CHANNEL,)),
        (Facts(channel="五华区"), (Tie.CHANNEL,)),
        (Facts(partners=("甲大学", "五华区民政局")), (Tie.PARTNER,)),
        (Facts(unit="五华区民政局", employers=("五华区民政局",)), (Tie.UNIT, Tie.EMPLOYER)),
        (Facts(unit="盘龙区民政局", channel="panlong"), ()),
        (Facts(unit="u-1"), (Tie.UNIT,)),
        (Facts(unit="u-2"), (Tie.PARTNER,)),
        (Facts(unit="滇中大学"), (Tie.PARTNER,)),
        (Facts(partners=("同心促进会",), employers=("u-2",)), (Tie.PARTNER, Tie.EMPLOYER)),
        (Facts(unit="u-3", partners=("u-4",), employers=("盘龙区民政局",)), ()),
    ],
)
def test_ties_are_found_by_unit_channel_partner_and_earlier_employer(facts: Facts, found: tuple[Tie, ...]) -> None:
    assert ties(facts, CARD) == found
    assert bool(conflicts([("xu", facts)], [CARD], frozenset())) == bool(found)
    assert is_behind(facts.unit, CARD) == (Tie.UNIT in found or (Tie.PARTNER in found and bool(facts.unit)))


def test_a_candidate_without_unit_or_channel_is_tied_to_nobody() -> None:
    bare = CandidateCard("c1", 1, "项目", "", "", "culture", "major")
    assert ties(Facts(), bare) == ()
    assert ties(Facts(partners=("",), employers=("",)), bare) == ()


def test_every_fact_told_of_a_person_counts_unless_two_people_lifted_it() -> None:
    told = [("xu", Facts()), ("xu", Facts(channel="wuhua")), ("li", Facts())]
    assert conflicts(told, [CARD], frozenset()) == {"xu": {"c1"}}
    assert conflicts(told, [CARD], frozenset({("xu", "c1")})) == {}
    other = msgspec.structs.replace(CARD, candidate="c2", unit="盘龙区民政局", channel="panlong", channel_title="")
    assert conflicts([*told, ("xu", Facts(unit="盘龙区民政局"))], [CARD, other], frozenset()) == {"xu": {"c1", "c2"}}
