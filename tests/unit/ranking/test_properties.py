"""What must hold for any round: order of rows changes nothing, and the fast way agrees with the plain one."""

import io
import random
from fractions import Fraction

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.shared.ranking.candidates import parse_candidates
from services.shared.ranking.linear_system import solve
from services.shared.ranking.ranking import rank, ranking_csv
from services.shared.ranking.rules import parse_rules
from services.shared.ranking.scores import Score, parse_scores, scores_csv
from services.shared.ranking.votes import parse_votes, votes_csv
from tests.unit.ranking.builders import candidates_of, rules_of
from tests.unit.ranking.reference import reference_scores

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CRITERIA = '[[criteria]]\nid = "idea"\nweight = "0.35"\nstep = "0.5"\n[[criteria]]\nid = "use"\nweight = "0.65"\n'
NAMES = "ABCDEF"
DECIMALS = ("0", "1", "2", '""')


@st.composite
def marks(draw: st.DrawFn) -> list[Score]:
    """Some experts' sheets for some candidates; the first expert sees all, so that the graph is connected."""
    found: list[Score] = []
    for expert in range(draw(st.integers(1, 5))):
        for candidate in NAMES:
            if expert == 0 or draw(st.booleans()):
                idea, use = draw(st.integers(0, 20)), draw(st.integers(0, 100))
                found.append(Score(f"E{expert}", candidate, "idea", Fraction(idea, 2)))
                found.append(Score(f"E{expert}", candidate, "use", Fraction(use, 3)))
    return found


@st.composite
def methods(draw: st.DrawFn) -> str:
    low, high = draw(st.integers(0, 1)), draw(st.integers(0, 1))
    lines = [
        "[experts]",
        f'adjust = "{draw(st.sampled_from(["none", "z_score", "additive"]))}"',
        f'aggregate = "{draw(st.sampled_from(["mean", "trimmed_mean", "median", "sum", "rank_points"]))}"',
        f'order = "{draw(st.sampled_from(["criterion_first", "sheet_first"]))}"',
        f"trim_low = {low}\ntrim_high = {high}\npanel_min = {low + high + draw(st.integers(1, 2))}",
        f'fallback = "{draw(st.sampled_from(["mean", "median"]))}"',
        'points = [9, 5, "2.5"]\nmarks_min = 1\nridge = "0.7"',
        f"aggregate_decimals = {draw(st.sampled_from(DECIMALS))}",
        f"component_decimals = {draw(st.sampled_from(DECIMALS))}",
        f'[combination]\nexperts = "1"\nrounding = "{draw(st.sampled_from(["half_up", "half_even"]))}"',
    ]
    return "\n".join(lines)


@QUICK
@given(marks(), methods())
def test_expert_scores_agree_with_the_plain_definition(scores: list[Score], method: str) -> None:
    rules = rules_of(CRITERIA, method)
    ranking = rank(rules, candidates_of(*NAMES), None, scores)
    assert {row.candidate: row.expert_points for row in ranking.rows} == reference_scores(rules, scores)


RULES = (
    'schema = 1\n[round]\nid = "x"\n[groups]\nby = ["level"]\n' + CRITERIA + '[experts]\naggregate = "trimmed_mean"\n'
    "trim_low = 1\ntrim_high = 1\npanel_min = 3\naggregate_decimals = 2\n"
    '[votes]\ntransform = "t_score_log"\ndecimals = 2\n'
    '[combination]\nvotes = "0.4"\nexperts = "0.6"\nexperts_transform = "t_score"\nexperts_decimals = 2\ndecimals = 1\n'
    'tie_break = ["experts", "criteria", "votes", "lots"]\n'
    "[selection]\nplaces = { major = 1, key = 1 }\nreserve = 1\n"
)


@QUICK
@given(marks(), st.lists(st.integers(0, 6), min_size=6, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(scores: list[Score], counts: list[int], order: random.Random) -> None:
    whole = [score._replace(score=Fraction(int(score.score))) for score in scores]
    rows = "".join(f"{name},t,u,c,x,{'major' if name < 'D' else 'key'}\n" for name in NAMES)
    candidates_data = ("candidate,title,unit,channel,category,level\n" + rows).encode()
    votes_data = votes_csv({(name, ""): count for name, count in zip(NAMES, counts, strict=True)})
    files = [candidates_data, votes_data, scores_csv(whole)]
    results = {_result(*files), _result(*(_shuffled(data, order) for data in files))}
    assert len(results) == 1


def _shuffled(data: bytes, order: random.Random) -> bytes:
    header, *rows = io.BytesIO(data).readlines()
    order.shuffle(rows)
    return b"\xef\xbb\xbf" + b"".join([header, *rows]).replace(b"\n", b"\r\n")


def _result(candidates_data: bytes, votes_data: bytes, scores_data: bytes) -> bytes:
    candidates = parse_candidates(candidates_data)
    votes = parse_votes(votes_data, {each.candidate for each in candidates})
    return ranking_csv(rank(parse_rules(RULES.encode()), candidates, votes, parse_scores(scores_data), "seed"))


@QUICK
@given(st.data(), st.integers(1, 5))
def test_a_linear_system_is_solved_exactly(data: st.DataObject, size: int) -> None:
    row = st.lists(st.integers(-3, 3), min_size=size, max_size=size)
    matrix = [data.draw(row) for _ in range(size)]
    for position in range(size):
        matrix[position][position] += 100  # regular for certain
    wanted = data.draw(row)
    right_side = [sum(a * x for a, x in zip(line, wanted, strict=True)) for line in matrix]
    assert solve(matrix, [right_side, [0] * size]) == [wanted, [0] * size]
