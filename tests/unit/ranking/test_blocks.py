"""Large files are read in pieces: whatever stands in them, the result or the refusal is that of reading row by row."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.shared.ranking import csv_files
from services.shared.ranking.errors import InputError
from services.shared.ranking.scores import parse_score_rows
from services.shared.ranking.votes import parse_ballots

BALLOTS = b"ballot,state,choices,stratum\n"
SCORES = b"expert,candidate,criterion,score\n"
# What is right, and every way of going wrong that somebody looked for: controls, quotes, widths, order, doubles, bytes.
_BALLOT = st.sampled_from(["1", "2", "2", "3", "10", "b", "", "\x07", "x" * 65])
_STATE = st.sampled_from(["counted"] * 6 + ["excluded", "held", ""])
_CHOICES = st.sampled_from(["A", "B", "A B", "A B C", "", "A A", "A  B", "D"])
_STRATUM = st.sampled_from(["", "", "city", "\x07", "y" * 65])
_ENDING = st.sampled_from(["\n"] * 8 + ["\r\n", "\n\n", "\r", ",\n", '"\n', ""])
_BALLOT_LINE = st.tuples(_BALLOT, _STATE, _CHOICES, _STRATUM, _ENDING).map(lambda row: ",".join(row[:4]) + row[4])
_MARK = st.tuples(
    st.sampled_from(["e1", "e2", "", "\x07"]), st.sampled_from(["A", '"A"', "B"]), st.just("k"),
    st.sampled_from(["1", "2.5", "x", "1e3"]), _ENDING,
).map(lambda row: ",".join(row[:4]) + row[4])  # fmt: skip


def outcome(read: Callable[[], object]) -> object:
    try:
        return read()
    except InputError as error:
        return str(error)


def both_ways(read: Callable[[], object], piece_bytes: int) -> tuple[object, object]:
    """What comes of it in pieces, and row by row from the first line on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_files, "BLOCK_BYTES", piece_bytes)
        in_pieces = outcome(read)
        patch.setattr(csv_files, "_plain_fields", lambda piece, width: None)
        return in_pieces, outcome(read)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(_BALLOT_LINE, max_size=12), st.booleans(), st.sampled_from([1, 20, 60, 1 << 18]), st.sampled_from([1, 99])
)
def test_ballots(lines: list[str], in_order: bool, piece_bytes: int, alike_max: int) -> None:
    data = BALLOTS + "".join(sorted(lines) if in_order else lines).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.shared.ranking.votes._ALIKE_MAX", alike_max)
        in_pieces, by_row = both_ways(lambda: parse_ballots(io.BytesIO(data), {"A", "B", "C"}), piece_bytes)
    assert in_pieces == by_row


@settings(max_examples=200, deadline=None)
@given(st.lists(_MARK, max_size=8), st.sampled_from([1, 20, 1 << 18]), st.sampled_from([b"", b"\xff,A,k,1\n"]))
def test_marks(lines: list[str], piece_bytes: int, more: bytes) -> None:
    data = SCORES + "".join(lines).encode() + more
    in_pieces, by_row = both_ways(lambda: parse_score_rows(data), piece_bytes)
    assert in_pieces == by_row


def test_rows_of_other_widths_that_add_up_are_refused() -> None:
    """Five fields and three are eight: pieces must not be taken for what a reader of rows would never see."""
    data = BALLOTS + b"0,counted,A,\n1,counted,A,,2\ncounted,B,\n"
    with pytest.raises(InputError, match=r"ballots.csv:3: has 5 fields instead of 4"):
        parse_ballots(io.BytesIO(data), {"A", "B"})


def test_an_endless_line_is_refused_by_its_number() -> None:
    data = BALLOTS + b"1,counted,A,\n2,counted," + b"A" * (csv_files.LINE_BYTES_MAX + csv_files.BLOCK_BYTES)
    with pytest.raises(InputError, match=r"ballots.csv:3: is longer than 262144 bytes"):
        parse_ballots(io.BytesIO(data), {"A"})


def test_many_different_choices_are_not_all_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.shared.ranking.votes._ALIKE_MAX", 1)
    rows = "".join(f"{number},counted,{'A' if number % 2 else 'B'},\n" for number in range(1, 10))
    data = BALLOTS + b"0,counted,A,\n" + rows.encode()
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 40)
    assert parse_ballots(io.BytesIO(data), {"A", "B"}) == {("A", ""): 6, ("B", ""): 4}
