"""What a fair method promises whoever is marked: more is never worse, scale does not matter, recusals hurt nobody else.

Where a promise does not hold, the counterexample is here, with its numbers.
"""

import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.shared.ranking.ranking import rank
from services.shared.ranking.result import Row
from services.shared.ranking.scores import Score
from tests.unit.ranking.builders import candidates_of, marks_of, rank_marks, rows_of, rules_of

QUICK = settings(max_examples=60, deadline=None)
CRITERIA = (
    '[[criteria]]\nid = "idea"\nweight = "0.4"\nstep = "0"\n[[criteria]]\nid = "use"\nweight = "0.6"\nstep = "0"\n'
)
FREE = '[[criteria]]\nid = "idea"\nweight = "1"\nstep = "0"\n'
NAMES = "ABCD"

Table = dict[str, dict[str, list[int | str]]]


@st.composite
def tables(draw: st.DrawFn, criteria: int = 2) -> Table:
    """Everybody marks everybody."""
    experts = [f"E{k}" for k in range(draw(st.integers(3, 5)))]
    return {e: {c: [draw(st.integers(0, 20)) for _ in range(criteria)] for c in NAMES} for e in experts}


def method(aggregate: str, more: str = "", transform: str = "none") -> str:
    return (
        f'[experts]\naggregate = "{aggregate}"\ntrim_low = 1\ntrim_high = 1\npanel_min = 3\npoints = [5, 3, 1]\n{more}'
        f'[combination]\nexperts = "1"\nexperts_transform = "{transform}"\ntie_break = ["criteria"]\n'
    )


def ranked(rules_text: str, table: Table, criteria: tuple[str, ...] = ("idea", "use")) -> dict[str, Row]:
    rules = rules_of(CRITERIA if len(criteria) == 2 else FREE, rules_text)
    return rows_of(rank_marks(rules, marks_of(table, *criteria)))


@pytest.mark.parametrize("order", ["criterion_first", "sheet_first"])
@pytest.mark.parametrize("aggregate", ["mean", "trimmed_mean", "median", "sum", "rank_points"])
@QUICK
@given(tables(), st.data())
def test_a_higher_mark_never_costs_its_candidate_a_place(
    aggregate: str, order: str, table: Table, data: st.DataObject
) -> None:
    more = f'order = "{order}"\naggregate_decimals = 1\ncomponent_decimals = 1\n'
    before = ranked(method(aggregate, more), table)["A"]
    expert, k = data.draw(st.sampled_from(sorted(table))), data.draw(st.integers(0, 1))
    table[expert]["A"][k] = int(table[expert]["A"][k]) + data.draw(st.integers(1, 20))
    after = ranked(method(aggregate, more), table)["A"]
    assert after.place <= before.place
    assert after.total >= before.total


def test_under_z_scores_a_higher_mark_can_cost_its_candidate_the_first_place() -> None:
    """E gives A ten more, which widens E's own spread: B, whom E marked lowest, is hurt less by that than A gains.

    Worked by hand in the page of examples. The same rules without `adjust` keep A first, as above.
    """
    table: Table = {"E": {"A": [70], "B": [50], "C": [60]}, "F": {"A": [70], "B": [90], "C": [80]}}
    text = method("mean", 'adjust = "z_score"\nmarks_min = 1\n')
    assert {row.place for row in ranked(text, table, ("idea",)).values()} == {1}
    table["E"]["A"] = [80]
    after = ranked(text, table, ("idea",))
    assert (after["A"].place, after["B"].place) == (2, 1)
    assert ranked(method("mean"), table, ("idea",))["A"].place == 1


@pytest.mark.parametrize("aggregate", ["mean", "trimmed_mean", "median", "sum"])
@QUICK
@given(tables(), st.integers(1, 9), st.integers(0, 30))
def test_under_t_scores_a_common_scale_changes_nothing(aggregate: str, table: Table, factor: int, shift: int) -> None:
    scaled: Table = {
        e: {c: [factor * int(m) + shift for m in marks] for c, marks in of.items()} for e, of in table.items()
    }
    before, after = (ranked(method(aggregate, transform="t_score"), each) for each in (table, scaled))
    assert {name: (row.place, row.total_text) for name, row in before.items()} == {
        name: (row.place, row.total_text) for name, row in after.items()
    }


@QUICK
@given(tables(), st.integers(2, 9))
def test_under_linear_to_max_a_common_factor_changes_nothing(table: Table, factor: int) -> None:
    scaled: Table = {e: {c: [factor * int(m) for m in marks] for c, marks in of.items()} for e, of in table.items()}
    before, after = (ranked(method("mean", transform="linear_to_max"), each) for each in (table, scaled))
    assert {name: row.total for name, row in before.items()} == {name: row.total for name, row in after.items()}


@QUICK
@given(tables(criteria=1), st.integers(1, 5), st.integers(0, 30))
def test_under_z_scores_an_experts_own_scale_changes_nothing(table: Table, factor: int, shift: int) -> None:
    """Every expert has an own scale, and the order stays: z-scores are what is left when it is taken out.

    The deviations are roots of 50 digits: aggregates equal on paper may differ in the last of them, and t-scores
    would blow that up. Rounding the aggregates, as rules should, takes it away.
    """
    more = 'adjust = "z_score"\nmarks_min = 1\naggregate_decimals = 12\n'
    own: Table = {
        e: {c: [(factor + k) * int(m) + shift * k for m in marks] for c, marks in of.items()}
        for k, (e, of) in enumerate(table.items())
    }
    before, after = (ranked(method("mean", more, transform="t_score"), each, ("idea",)) for each in (table, own))
    assert {name: float(row.total) for name, row in before.items()} == pytest.approx(
        {name: float(row.total) for name, row in after.items()}, abs=1e-4
    )


@pytest.mark.parametrize("aggregate", ["mean", "trimmed_mean", "median", "sum"])
@QUICK
@given(tables(), st.data())
def test_a_recused_expert_changes_only_the_candidate_concerned(
    aggregate: str, table: Table, data: st.DataObject
) -> None:
    expert = data.draw(st.sampled_from(sorted(table)))
    scores = marks_of(table, "idea", "use")
    recused = [each for each in scores if (each.expert, each.candidate) != (expert, "A")]
    without = [each for each in scores if each.expert != expert]
    rules = rules_of(CRITERIA, method(aggregate))
    everybody, one_less, none_of_them = (rows_of(rank_marks(rules, each)) for each in (scores, recused, without))
    assert one_less["A"].aggregates == none_of_them["A"].aggregates
    assert one_less["A"].sheets == len(table) - 1
    assert all(one_less[name].aggregates == everybody[name].aggregates for name in "BCD")


@QUICK
@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_marks_and_candidates_changes_nothing(table: Table, order: random.Random) -> None:
    scores = marks_of(table, "idea", "use")
    shuffled: list[Score] = list(scores)
    order.shuffle(shuffled)
    rules = rules_of(CRITERIA, method("trimmed_mean", 'adjust = "additive"\n', transform="t_score"))
    first = rank(rules, candidates_of(*NAMES), None, scores)
    assert rank(rules, candidates_of(*reversed(NAMES)), None, shuffled) == first
    assert isinstance(first.rows[0].total, Fraction)
