"""The bundle's CSV files: what is read, what is written, and each bad row told with file, line and reason."""

import io
from datetime import datetime
from fractions import Fraction

import pytest

from services.shared.ranking.bundle import (
    Event,
    Exclusion,
    events_csv,
    exclusions_csv,
    parse_ballots,
    parse_events,
    parse_exclusions,
    parse_reveal,
    parse_votes,
    reveal_toml,
)
from services.shared.ranking.candidates import Candidate, candidates_csv, group_of, parse_candidates
from services.shared.ranking.errors import InputError
from services.shared.ranking.marks import build_marks
from services.shared.ranking.scores import Score, parse_score_rows, parse_scores, scores_csv
from services.shared.ranking.votes import ballots_csv, votes_csv
from tests.unit.ranking.builders import rules_of

CANDIDATES = "candidate,title,unit,channel,category,level\n"
WITHDRAWN = "candidate,title,unit,channel,category,level,withdrawn_at\n"


def test_candidates_are_read_with_quotes_bom_crlf_and_empty_lines() -> None:
    text = (
        "\ufeff"
        + WITHDRAWN
        + 'K1,"一个,""好""项目",单位·甲,wuhua,other,major,2030-05-07T10:00:00+08:00\n\nK2,䶮,乙,,,,\n'
    )
    first, second = parse_candidates(text.replace("\n", "\r\n").encode())
    gone = datetime.fromisoformat("2030-05-07T10:00:00+08:00")
    assert first == Candidate("K1", '一个,"好"项目', "单位·甲", "wuhua", "other", "major", gone)
    assert second == Candidate("K2", "䶮", "乙", "", "", "", None)


@pytest.mark.parametrize(
    ("rows", "line", "reason"),
    [
        ("A,t,u,c,x,major\nA,t,u,c,x,major\n", 3, 'candidate "A" is there twice'),
        (",t,u,c,x,major\n", 2, "candidate is empty"),
        ("A B,t,u,c,x,major\n", 2, "without spaces"),
        ('"A,B",t,u,c,x,major\n', 2, "without spaces, commas"),
        ("A\u00a0B,t,u,c,x,major\n", 2, "without spaces"),
        ("A" * 65 + ",t,u,c,x,major\n", 2, "1 to 64"),
        ("A,t,u,c,x\n", 2, "has 5 fields instead of 6"),
        ("A,t,u,c,x,a;b\n", 2, "must not contain ;"),
        ("A,t,u,c,x," + "l" * 65 + "\n", 2, "level"),
        ("A,t\x00,u,c,x,major\n", 2, "title must be at most 2000 characters without controls"),
        ('A,"t\nt",u,c,x,major\nB,"t"t,u,c,x,major\n', 4, "is not valid CSV"),
        ('A,t,u,c,x,major\nB,"never closed,u,c,x,major\n', 3, "is not valid CSV"),
        ("", 1, "has no candidates"),
    ],
)
def test_bad_candidates(rows: str, line: int, reason: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_candidates((CANDIDATES + rows).encode(), "list.csv")
    assert (refused.value.file, refused.value.line) == ("list.csv", line)
    assert reason in refused.value.reason


@pytest.mark.parametrize(
    "moment", ["2030-05-07", "2030-05-07T10:00:00", "2030-13-07T10:00:00Z", "yesterday", "20300507T100000Z"]
)
def test_a_withdrawal_needs_a_moment_with_offset(moment: str) -> None:
    with pytest.raises(InputError, match=r"^candidates.csv:2: withdrawn_at .* with offset"):
        parse_candidates((WITHDRAWN + f"A,t,u,c,x,major,{moment}\n").encode())


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (b"", 1, "is empty; the first line must be candidate,title"),
        (b"candidate,title\n", 1, 'the first line is "candidate,title"; it must be'),
        (b"candidate;title\n", 1, "it must be"),
        (CANDIDATES.encode() + b"A,\xff,u,c,x,major\n", 2, "is not UTF-8"),
        (CANDIDATES.encode() + b"A," + b"t" * 300_000 + b",u,c,x,major\n", 2, "is longer than 262144 bytes"),
    ],
)
def test_bytes_that_are_no_candidates(data: bytes, line: int, reason: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_candidates(data)
    assert refused.value.line == line
    assert reason in refused.value.reason


def test_candidates_are_written_as_they_are_read() -> None:
    gone = datetime.fromisoformat("2030-05-07T10:00:00+08:00")
    candidates = (
        Candidate("B", 'a "b"', "c,d", "w", "x", "major", gone),
        Candidate("A", "行\n行", "u", "w", "x", "key"),
    )
    data = candidates_csv(candidates)
    assert data.decode() == (
        WITHDRAWN + 'A,"行\n行",u,w,x,key,\n' + 'B,"a ""b""","c,d",w,x,major,2030-05-07T10:00:00+08:00\n'
    )
    assert parse_candidates(data) == candidates[::-1]
    assert candidates_csv(candidates[1:]).startswith(CANDIDATES.encode())


@pytest.mark.parametrize(
    ("by", "name"), [([], "all"), (["level"], "level=major"), (["channel", "level"], "channel=wuhua;level=major")]
)
def test_group_names(by: list[str], name: str) -> None:
    rules = rules_of(f"[groups]\nby = {by!r}".replace("'", '"'))
    assert group_of(Candidate("A", "t", "u", "wuhua", "other", "major"), rules) == name


def test_votes_are_read_with_and_without_strata() -> None:
    assert parse_votes(b"candidate,votes\nA,7\nB,0\n", "AB") == {("A", ""): 7, ("B", ""): 0}
    with_strata = b"candidate,votes,stratum\nA,7,city\nA,2,\n"
    assert parse_votes(with_strata, "AB") == {("A", "city"): 7, ("A", ""): 2}
    assert votes_csv({("B", ""): 0, ("A", ""): 7}) == b"candidate,votes\nA,7\nB,0\n"
    assert votes_csv({("A", "city"): 7, ("A", ""): 2}) == b"candidate,votes,stratum\nA,2,\nA,7,city\n"


@pytest.mark.parametrize(
    ("rows", "line", "reason"),
    [
        ("A,1\nZ,1\n", 3, 'candidate "Z" is not in candidates.csv'),
        ("A,1\nA,2\n", 3, "twice"),
        ("A,-1\n", 2, 'votes "-1" must be a whole number'),
        ("A,1.0\n", 2, "whole number"),
        ("A,\n", 2, "whole number"),
        ("A,١\n", 2, "whole number"),
        ("A," + "9" * 19 + "\n", 2, "whole number"),
        ("A,1,city\n", 2, "has 3 fields instead of 2"),
    ],
)
def test_bad_votes(rows: str, line: int, reason: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_votes(("candidate,votes\n" + rows).encode(), "AB")
    assert (refused.value.file, refused.value.line) == ("votes.csv", line)
    assert reason in refused.value.reason


BALLOTS = "ballot,state,choices,stratum\n"


def count(rows: str) -> dict[tuple[str, str], int]:
    return parse_ballots(io.BytesIO((BALLOTS + rows).encode()), {"A", "B", "C"})


def test_ballots_are_counted_without_the_excluded_ones() -> None:
    counted = count("1,counted,A B,city\n2,excluded,A C,city\n3,counted,B,\n4,counted,,\n")
    assert counted == {("A", "city"): 1, ("B", "city"): 1, ("B", ""): 1}


@pytest.mark.parametrize(
    ("rows", "line", "reason"),
    [
        ("1,counted,A,\n1,counted,B,\n", 3, 'ballot "1" is there twice'),
        ("2,counted,A,\n10,counted,B,\n", 3, 'ballot "10" comes after "2"; sort the rows by ballot'),
        (",counted,A,\n", 2, "ballot is empty"),
        ("1,held,A,\n", 2, 'state "held" is unknown; use counted or excluded'),
        ("1,counted,A Z,\n", 2, 'choice "Z" is not in candidates.csv'),
        ("1,excluded,Z,\n", 2, 'choice "Z" is not in candidates.csv'),
        ("1,counted,A  B,\n", 2, 'choice "" is not in candidates.csv; separate choices by one space'),
        ("1,counted,A B A,\n", 2, "names a candidate twice"),
        ("1,counted,A,\n2,counted,A\n", 3, "has 3 fields instead of 4"),
        ("1,counted,A," + "s" * 65 + "\n", 2, "stratum"),
    ],
)
def test_bad_ballots(rows: str, line: int, reason: str) -> None:
    with pytest.raises(InputError) as refused:
        count(rows)
    assert (refused.value.file, refused.value.line) == ("ballots.csv", line)
    assert reason in refused.value.reason


def test_ballots_are_ordered_by_code_point() -> None:
    # U+FF5E sorts before U+1F600 by code point, after it by UTF-16 unit
    assert count("～,counted,A,\n😀,counted,A,\n") == {("A", ""): 2}


def test_strata_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.shared.ranking.votes.STRATA_MAX", 2)
    with pytest.raises(InputError, match=r"ballots.csv:4: there are more than 2 strata"):
        count("1,counted,A,a\n2,counted,A,b\n3,counted,A,c\n")


def test_long_reading_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.shared.ranking.votes.PROGRESS_ROWS", 2)
    monkeypatch.setattr("services.shared.ranking.csv_files.BLOCK_BYTES", 1)
    told: list[int] = []
    rows = "".join(f"{number},counted,A,\n" for number in range(5))
    parse_ballots(io.BytesIO((BALLOTS + rows).encode()), {"A"}, progress=told.append)
    assert told == [2, 4]


def test_ballots_are_written_sorted() -> None:
    data = ballots_csv([("2", "excluded", ["B"], ""), ("1", "counted", ["B", "A"], "city")])
    assert data.decode() == BALLOTS + "1,counted,A B,city\n2,excluded,B,\n"
    assert parse_ballots(io.BytesIO(data), {"A", "B"}) == {("A", "city"): 1, ("B", "city"): 1}


SCORES = "expert,candidate,criterion,score\n"
CRITERIA = (
    '[[criteria]]\nid = "idea"\nweight = "0.5"\nmin = "1"\nmax = "10"\nstep = "0.5"\n'
    '[[criteria]]\nid = "use"\nweight = "0.5"\nmin = "-5"\n'
)


def test_scores_are_written_as_they_are_read() -> None:
    rows = "E1,A,idea,7.5\nE1,A,use,-0.125\nE2,A,idea,10\n"
    scores = parse_scores((SCORES + rows).encode())
    assert scores[1] == Score("E1", "A", "use", Fraction(-1, 8))
    assert scores_csv(reversed(scores)).decode() == SCORES + rows


@pytest.mark.parametrize(
    ("rows", "line", "reason"),
    [
        ("X,A,idea,7\nX,A,use,seven\n", 3, 'score "seven" is not a number'),
        ("X,A,idea,7e0\n", 2, "is not a number"),
        ("X,A,idea,\n", 2, 'score "" is not a number'),
        (",A,idea,7\n", 2, "expert is empty"),
        ("X,Z,idea,7\n", 2, 'candidate "Z" is not in candidates.csv'),
        ("X,A,merit,7\n", 2, 'criterion "merit" is not in rules.toml; its criteria: idea, use'),
        ("X,A,idea,10.5\n", 2, "score 10.5 is outside 1 to 10"),
        ("X,A,idea,0.5\n", 2, "score 0.5 is outside 1 to 10"),
        ("X,A,use,-6\n", 2, "score -6 is outside -5"),
        ("X,A,idea,7.25\n", 2, "score 7.25 is off the step 0.5 from 1"),
        ("X,A,idea,7\nX,A,use,7\nX,A,idea,8\n", 4, "has a mark on idea already"),
        ("X,A,idea,7\nX,A,use,7\nY,A,idea,8\n", 4, 'the sheet of expert "Y" for "A" has no mark on use'),
    ],
)
def test_bad_scores(rows: str, line: int, reason: str) -> None:
    with pytest.raises(InputError) as refused:
        check_scores(rows)
    assert (refused.value.file, refused.value.line) == ("scores.csv", line)
    assert reason in refused.value.reason


def check_scores(rows: str) -> None:
    scores, lines = parse_score_rows((SCORES + rows).encode())
    build_marks(scores, rules_of(CRITERIA).criteria, {"A", "B"}, set(), lines)


def test_marks_of_withdrawn_candidates_are_checked_all_the_same() -> None:
    with pytest.raises(InputError, match="outside 1 to 10"):
        build_marks([Score("X", "A", "idea", Fraction(11))], rules_of(CRITERIA).criteria, {"A"}, {"A"})


def test_marks_become_whole_numbers_over_a_common_denominator() -> None:
    scores = [Score("X", "A", "idea", Fraction(15, 2)), Score("X", "A", "use", Fraction(1, 8))]
    marks = build_marks(scores, rules_of(CRITERIA).criteria, {"A"}, set())
    assert (marks.denominators, marks.sheets["A"]["X"]) == ((2, 8), [15, 1])


def test_events_exclusions_and_the_seed_are_written_as_they_are_read() -> None:
    moments = [datetime.fromisoformat(text) for text in ("2030-05-08T10:00:00+08:00", "2030-05-07T10:00:00+08:00")]
    events = (Event(moments[0], "extension", "2 小时"), Event(moments[1], "withdrawal", "A"))
    assert parse_events(events_csv(events)) == events[::-1]
    exclusions = (Exclusion("address", "B", "2030-05-07", 3), Exclusion("address", "A", "2030-05-07", 12))
    assert parse_exclusions(exclusions_csv(exclusions)) == exclusions[::-1]
    assert parse_reveal(reveal_toml('a "b" \\ 种子')) == 'a "b" \\ 种子'
    assert parse_reveal(b"") is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"seed = 1\n", 'reveal.toml:1: unknown key "seed"'),
        (b"lots_seed = 5\n", "reveal.toml:1: lots_seed must be a text"),
    ],
)
def test_a_bad_reveal(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse_reveal(data)


def test_bad_events_and_exclusions() -> None:
    with pytest.raises(InputError, match=r"events.csv:2: at "):
        parse_events(b"at,event,detail\nnow,extension,x\n")
    with pytest.raises(InputError, match=r"exclusions.csv:3: .*twice"):
        parse_exclusions(b"reason,candidate,day,ballots\nx,A,2030-05-07,1\nx,A,2030-05-07,2\n")


def test_a_reason_stays_on_one_line() -> None:
    assert str(InputError("a.csv", 3, "holds\na break\x1b[2J")) == "a.csv:3: holds\\na break\\x1b[2J"
