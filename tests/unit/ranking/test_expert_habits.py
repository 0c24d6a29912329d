"""The experts one by one: offsets, spreads, outlying marks, and whether they prefer their own."""

from fractions import Fraction
from itertools import product
from math import comb

from hypothesis import given, settings
from hypothesis import strategies as st

from services.shared.ranking.statistics.affiliation import affiliation_test
from services.shared.ranking.statistics.draws import Draws
from services.shared.ranking.statistics.experts import agreement, habits, outlying
from services.shared.ranking.statistics.source import Part

QUICK = settings(max_examples=40, deadline=None)


def part_of(table: dict[str, list[int | None]], denominator: int = 1) -> Part:
    """Candidate → marks of the experts E0, E1 …; None is no mark."""
    values = {
        candidate: {f"E{k}": mark for k, mark in enumerate(marks) if mark is not None}
        for candidate, marks in table.items()
    }
    return Part("idea", values, denominator)


def test_offset_and_spread_by_hand() -> None:
    # E0 − mean of the others: 90 − 70 = 20 on A, 80 − 70 = 10 on B. Own marks 90 and 80: spread 5.
    found = habits("all", part_of({"A": [90, 60, 80], "B": [80, 70, 70]}))
    assert [(each.expert, each.sheets, each.offset, each.spread) for each in found] == [
        ("E0", 2, Fraction(15), Fraction(5)),
        ("E1", 2, Fraction(-15), Fraction(5)),  # 60 − 85 = −25 and 70 − 75 = −5
        ("E2", 2, Fraction(0), Fraction(5)),  # 80 − 75 = 5 and 70 − 75 = −5
    ]


def test_units_do_not_matter() -> None:
    halves = habits("all", part_of({"A": [180, 120], "B": [160, 140]}, denominator=2))
    assert [each.offset for each in halves] == [Fraction(20), Fraction(-20)]


def test_somebody_alone_on_a_candidate_is_compared_with_nobody() -> None:
    assert habits("all", part_of({"A": [90, None], "B": [None, 10]})) == []


def test_one_mark_far_from_its_expectation_is_shown() -> None:
    # E2 is ten points severe throughout, except on C6, where everybody else gives 70 and E2 gives 20, not 60.
    table: dict[str, list[int | None]] = {f"C{k}": [70 + k, 70 + k, 60 + k, 70 + k] for k in range(8)}
    table["C6"][2] = 26
    [found] = outlying("all", part_of(table))
    assert (found.candidate, found.criterion, found.expert, found.mark) == ("C6", "idea", "E2", Fraction(26))
    assert found.expected == 66
    assert found.deviations > 3


def test_a_severe_expert_alone_is_no_outlier() -> None:
    table: dict[str, list[int | None]] = {f"C{k}": [80, 80, 40, 80] for k in range(8)}
    assert outlying("all", part_of(table)) == []


def test_experts_of_other_names_are_compared_with_the_panel_only() -> None:
    values = {f"C{k}": {f"C{k}E{e}": 70 + (e + k) % 3 for e in range(6)} for k in range(10)}
    values["C3"]["C3E5"] = 10
    found = outlying("all", Part("idea", values, 1))
    assert [(each.candidate, each.expert) for each in found] == [("C3", "C3E5")]


def test_an_outlier_does_not_hide_itself_by_widening_the_measure() -> None:
    # Residuals −60 and five times 12: 60² · 5 > 9 · 5 · 12², though not more than 9 · (5 · 12² + 60²).
    [found] = outlying("all", part_of({"A": [70, 70, 70, 70, 70, 10]}))
    assert (found.expert, found.expected, found.deviations) == ("E5", Fraction(70), Fraction(5))


def test_agreement_leaves_out_whoever_only_stood_in() -> None:
    table: dict[str, list[int | None]] = {"A": [1, 2, None], "B": [2, 3, None], "C": [3, None, 3], "D": [4, 5, None]}
    found = agreement("all", part_of(table), linked=True)
    assert (found.candidates, found.experts, found.kendall_w) == (3, 2, Fraction(1))
    unlinked = agreement("all", part_of(table), linked=False)
    assert (unlinked.icc_a_k, unlinked.kendall_w) == (None, None)
    assert unlinked.alpha == found.alpha is not None


def test_preference_by_hand() -> None:
    # E0's residuals to E1: A +10, B −10, C 0; A is E0's own. Of three arrangements one gives as much: p = 1/3.
    part = part_of({"A": [80, 70], "B": [60, 70], "C": [70, 70]})
    found = affiliation_test(part, lambda expert, candidate: (expert, candidate) == ("E0", "A"), Draws("x"))
    assert found is not None
    assert (found.own_sheets, found.other_sheets, found.difference) == (1, 2, Fraction(15))
    assert (found.p_value, found.arrangements, found.exact) == (Fraction(1, 3), 3, True)


def test_without_own_candidates_there_is_nothing_to_test() -> None:
    part = part_of({"A": [80, 70], "B": [60, 70]})
    assert affiliation_test(part, lambda *_: False, Draws("x")) is None
    assert affiliation_test(part, lambda expert, _: expert == "E0", Draws("x")) is None  # all are own: no others


@QUICK
@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=2, max_size=3), st.data())
def test_the_exact_test_counts_every_arrangement(rows: list[list[int]], data: st.DataObject) -> None:
    part = part_of({f"C{k}": list(row) for k, row in enumerate(rows)})
    own = {
        (f"E{e}", f"C{c}") for e in range(3) for c in range(len(rows)) if data.draw(st.booleans(), label=f"E{e} C{c}")
    }
    found = affiliation_test(part, lambda expert, candidate: (expert, candidate) in own, Draws("x"))
    counts = {e: sum((f"E{e}", f"C{c}") in own for c in range(len(rows))) for e in range(3)}
    tested = [e for e, count in counts.items() if 0 < count < len(rows)]
    if not tested:
        assert found is None
        return
    residual = {
        (e, c): Fraction(3 * row[e] - sum(row), 2)
        - sum(Fraction(3 * other[e] - sum(other), 2) for other in rows) / len(rows)
        for e in tested
        for c, row in enumerate(rows)
    }
    observed = sum(value for (e, c), value in residual.items() if (f"E{e}", f"C{c}") in own)
    sums = []
    for marked in product([False, True], repeat=len(residual)):
        chosen = [key for key, mark in zip(residual, marked, strict=True) if mark]
        if all(sum(e == each for e, _ in chosen) == counts[each] for each in tested):
            sums.append(sum((residual[key] for key in chosen), Fraction(0)))
    assert found is not None
    owned = [value for (e, c), value in residual.items() if (f"E{e}", f"C{c}") in own]
    others = [value for (e, c), value in residual.items() if (f"E{e}", f"C{c}") not in own]
    assert found.difference == sum(owned, Fraction(0)) / len(owned) - sum(others, Fraction(0)) / len(others)
    assert found.arrangements == len(sums)
    assert found.p_value == Fraction(sum(total >= observed for total in sums), len(sums))


def test_many_arrangements_are_drawn_from_the_seed() -> None:
    table: dict[str, list[int | None]] = {f"C{k:02}": [70 + k % 5, 72, 71 - k % 3, 74] for k in range(24)}
    part = part_of(table)

    def is_own(expert: str, candidate: str) -> bool:
        return expert in ("E0", "E2") and candidate in ("C00", "C05", "C10", "C15")

    found = affiliation_test(part, is_own, Draws("seed"))
    assert found is not None
    assert comb(24, 4) ** 2 > 20_000
    assert (found.arrangements, found.exact) == (10_000, False)
    assert found == affiliation_test(part, is_own, Draws("seed"))
    assert found != affiliation_test(part, is_own, Draws("another seed"))


def test_a_drawn_p_value_is_never_nothing() -> None:
    own = {f"C{k:02}" for k in range(0, 24, 4)}
    part = part_of({f"C{k:02}": [90 if f"C{k:02}" in own else 70, 70, 70] for k in range(24)})
    found = affiliation_test(part, lambda expert, candidate: expert == "E0" and candidate in own, Draws("seed"))
    assert found is not None
    assert (found.exact, found.p_value) == (False, Fraction(1, 10_000))
