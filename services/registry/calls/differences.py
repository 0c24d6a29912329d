"""Two texts line by line, for people who decide whether a change is what they meant. Pure."""

import difflib
from collections.abc import Mapping
from enum import StrEnum
from itertools import islice

import msgspec

AROUND = 3
LINES_MAX = 2000


class LineKind(StrEnum):
    """What became of a line; `gap` stands for unchanged lines that are left out."""

    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"
    GAP = "gap"


class Line(msgspec.Struct, frozen=True):
    """A line of a difference; `number` is its place in the newer text, in the older one where it was removed."""

    kind: LineKind
    number: int | None
    text: str


def difference(before: str, after: str, around: int = AROUND) -> list[Line]:
    """What changed, with some lines around it; empty where the texts are the same. At most LINES_MAX lines."""
    old, new = before.splitlines(), after.splitlines()
    found: list[Line] = []
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(around):
        if found or group[0][3] > 0:
            found.append(Line(LineKind.GAP, None, ""))
        for tag, old_first, old_end, new_first, new_end in group:
            if tag == "equal":
                found += [Line(LineKind.SAME, number + 1, new[number]) for number in range(new_first, new_end)]
                continue
            found += [Line(LineKind.REMOVED, number + 1, old[number]) for number in range(old_first, old_end)]
            found += [Line(LineKind.ADDED, number + 1, new[number]) for number in range(new_first, new_end)]
    return list(islice(found, LINES_MAX))


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, list[Line]]:
    """File name → difference, for the files that differ; a file that is missing on one side is empty there."""
    names = sorted({*before, *after})
    found = {name: difference(before.get(name, ""), after.get(name, "")) for name in names}
    return {name: lines for name, lines in found.items() if lines}
