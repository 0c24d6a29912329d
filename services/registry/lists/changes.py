"""What a re-check (复核) or an upheld objection may change in a list, and what the change does. Pure.

Invariant: a list is its ranking with all standing changes applied in order, so that anybody can re-make it, and a new
ranking forgets no change. Nobody loses a place to somebody else's change of level: downwards a candidate stands beside
the places of its new level, upwards it needs a vacant one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from services.registry.lists.lists import Entry
from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal
from services.shared.ranking.model import Rules
from services.shared.vocabulary import LEVELS

CHANGES_MAX = 200
TEXT_MAX = 2000


class ChangeKind(StrEnum):
    """What one line of a re-check does."""

    REMOVE = "remove"
    CHANGE_LEVEL = "change_level"
    PROMOTE_RESERVE = "promote_reserve"
    REINSTATE = "reinstate"


class ChangeReason(StrEnum):
    """Why; the word is public."""

    NOT_CONFORMING = "not_conforming"
    UNTRUE = "untrue"
    DISPUTED = "disputed"
    VIOLATION = "violation"
    WITHDRAWN = "withdrawn"
    LEVEL_UNSUITABLE = "level_unsuitable"
    VACANCY = "vacancy"
    CORRECTION = "correction"


REASONS_OF: Mapping[ChangeKind, frozenset[ChangeReason]] = {
    ChangeKind.REMOVE: frozenset(
        {ChangeReason.NOT_CONFORMING, ChangeReason.UNTRUE, ChangeReason.DISPUTED, ChangeReason.VIOLATION,
         ChangeReason.WITHDRAWN, ChangeReason.CORRECTION}
    ),
    ChangeKind.CHANGE_LEVEL: frozenset({ChangeReason.LEVEL_UNSUITABLE, ChangeReason.CORRECTION}),
    ChangeKind.PROMOTE_RESERVE: frozenset({ChangeReason.VACANCY}),
    ChangeKind.REINSTATE: frozenset({ChangeReason.CORRECTION}),
}  # fmt: skip
REASON_NAMES = {
    ChangeReason.NOT_CONFORMING: "不符合申报条件", ChangeReason.UNTRUE: "材料不实", ChangeReason.DISPUTED: "存在争议",
    ChangeReason.VIOLATION: "违反评选纪律", ChangeReason.WITHDRAWN: "单位自愿退出",
    ChangeReason.LEVEL_UNSUITABLE: "级别不相符", ChangeReason.VACANCY: "递补空缺", ChangeReason.CORRECTION: "更正差错",
}  # fmt: skip


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line; `level` is asked for where the level changes, `text` says what was found, for the public."""

    kind: ChangeKind
    candidate: str
    reason: ChangeReason
    text: str
    level: str = ""


@dataclass(frozen=True, slots=True)
class Grounds:
    """What applying changes rests on: the ranking's own lines, its rules, and each candidate's level at freezing."""

    entries: Sequence[Entry]
    rules: Rules
    levels: Mapping[str, str]

    def places(self, group: str) -> int:
        """How many the rules select in a group; 0 where they select nobody."""
        if self.rules.selection is None:
            return 0
        values = ";".join(part.partition("=")[2] for part in group.split(";")) if "=" in group else group
        return self.rules.selection.places.get(values, 0)


@dataclass(slots=True)
class _Sheet:
    """The list while changes are being applied; `beside` are candidates who take up no place."""

    grounds: Grounds
    entries: dict[str, Entry]
    beside: set[str] = field(default_factory=set)

    def vacant(self, group: str) -> bool:
        taken = sum(
            each.outcome == "selected" and each.candidate not in self.beside
            for each in self.entries.values()
            if each.group == group
        )
        return taken < self.grounds.places(group)


def applied(grounds: Grounds, changes: Sequence[Change]) -> tuple[list[Entry], list[bool]]:
    """(the list, whether each change had an effect) after all changes in their order."""
    standing, effects = _without_reinstated(changes)
    sheet = _Sheet(grounds, {each.candidate: each for each in grounds.entries})
    for number in standing:
        effects[number] = _apply(sheet, changes[number])
    return _in_order(grounds, list(sheet.entries.values())), effects


def _without_reinstated(changes: Sequence[Change]) -> tuple[list[int], list[bool]]:
    """Positions of the changes that stand: reinstating takes back the candidate's last removal."""
    standing: list[int] = []
    effects = [False] * len(changes)
    for number, change in enumerate(changes):
        if change.kind is not ChangeKind.REINSTATE:
            standing.append(number)
            continue
        removals = [n for n in standing if _removes(changes[n], change.candidate)]
        if removals:
            standing.remove(removals[-1])
            effects[number] = effects[removals[-1]] = True
    return standing, effects


def _removes(change: Change, candidate: str) -> bool:
    return change.kind is ChangeKind.REMOVE and change.candidate == candidate


def _apply(sheet: _Sheet, change: Change) -> bool:
    entry = sheet.entries.get(change.candidate)
    if entry is None:
        return False
    match change.kind:
        case ChangeKind.REMOVE:
            del sheet.entries[change.candidate]
            return True
        case ChangeKind.PROMOTE_RESERVE:
            return _promote(sheet, entry)
        case ChangeKind.CHANGE_LEVEL:
            return _change_level(sheet, entry, change.level)
        case ChangeKind.REINSTATE:
            return False


def _promote(sheet: _Sheet, entry: Entry) -> bool:
    """Only into a vacant place of its own group, and only who stands first in reserve there."""
    ahead = (
        each.outcome == "reserve" and each.group == entry.group and (each.place or 0) < (entry.place or 0)
        for each in sheet.entries.values()
    )
    if entry.outcome != "reserve" or not sheet.vacant(entry.group) or any(ahead):
        return False
    sheet.entries[entry.candidate] = msgspec.structs.replace(entry, outcome="selected")
    return True


def _change_level(sheet: _Sheet, entry: Entry, level: str) -> bool:
    own = entry.level or sheet.grounds.levels.get(entry.candidate, "")
    if level == own or entry.outcome == "reserve":
        return False
    changed = msgspec.structs.replace(entry, level=level)
    if "level" in sheet.grounds.rules.groups.by:
        group = _group_with(entry.group, level)
        downwards = _rank(level) > _rank(own)
        if entry.outcome == "selected" and not downwards and not sheet.vacant(group):
            return False
        # Its total was reached among others: it has no place among these.
        changed = msgspec.structs.replace(changed, group=group, place=None)
        if downwards:
            sheet.beside.add(entry.candidate)
        else:
            sheet.beside.discard(entry.candidate)
    sheet.entries[entry.candidate] = changed
    return True


def _group_with(group: str, level: str) -> str:
    parts = [f"level={level}" if part.startswith("level=") else part for part in group.split(";")]
    return ";".join(parts)


def _rank(level: str) -> int:
    """0 for the highest level."""
    return list(LEVELS).index(level) if level in LEVELS else len(LEVELS)


def _in_order(grounds: Grounds, entries: list[Entry]) -> list[Entry]:
    """Groups as the ranking has them, then by outcome and place; who has no place stands last among its like."""
    groups = list(dict.fromkeys(each.group for each in grounds.entries))
    outcomes = ("selected", "reserve", "")

    def key(entry: Entry) -> tuple[int, str, int, bool, int]:
        known = groups.index(entry.group) if entry.group in groups else len(groups)
        return known, entry.group, outcomes.index(entry.outcome), entry.place is None, entry.place or 0

    return sorted(entries, key=key)


def require_sound(changes: Sequence[Change], candidates: Mapping[str, str], has_list: bool) -> None:
    """Raise Refusal `bad_list_change` with the first line that is wrong in itself."""
    if not 1 <= len(changes) <= CHANGES_MAX:
        raise Refusal(RegistryReason.BAD_LIST_CHANGE, f"Give 1 to {CHANGES_MAX} changes.")
    for number, change in enumerate(changes, start=1):
        if mistake := _mistake(change, candidates, has_list):
            raise Refusal(RegistryReason.BAD_LIST_CHANGE, f"Change {number}: {mistake}.", change=number)


def _mistake(change: Change, candidates: Mapping[str, str], has_list: bool) -> str:
    if change.candidate not in candidates:
        return f"there is no candidate {change.candidate[:64]!r} in this round"
    if change.reason not in REASONS_OF[change.kind]:
        return f"reason must be one of {', '.join(sorted(REASONS_OF[change.kind]))} where the kind is {change.kind}"
    if not change.text.strip() or len(change.text) > TEXT_MAX:
        return f"text must say what was found, in at most {TEXT_MAX} characters; it is published"
    if (change.kind is ChangeKind.CHANGE_LEVEL) != (change.level in LEVELS):
        return f"level must be one of {', '.join(LEVELS)} where the level changes, and empty elsewhere"
    if not has_list and change.kind not in (ChangeKind.REMOVE, ChangeKind.REINSTATE):
        return "before there is a list, a candidate can only be removed or reinstated"
    return ""


def require_effect(changes: Sequence[Change], effects: Sequence[bool]) -> None:
    """Raise Refusal `change_without_effect` with the first change that would change nothing."""
    for number, (change, effect) in enumerate(zip(changes, effects, strict=True), start=1):
        if not effect:
            raise Refusal(RegistryReason.CHANGE_WITHOUT_EFFECT, _why_not(change, number), change=number)


def _why_not(change: Change, number: int) -> str:
    why = {
        ChangeKind.REMOVE: "the candidate is not on the list",
        ChangeKind.CHANGE_LEVEL: "the candidate is not selected, has this level, or no place is vacant there",
        ChangeKind.PROMOTE_RESERVE: "the candidate is not the first in reserve, or no place of its group is vacant",
        ChangeKind.REINSTATE: "the candidate was not removed",
    }
    return f"Change {number} would change nothing: {why[change.kind]}."


class Move(StrEnum):
    """How a candidate's line differs between two lists."""

    CAME_IN = "came_in"
    LEFT = "left"
    PROMOTED = "promoted"
    DEMOTED = "demoted"
    MOVED = "moved"
    PLACE = "place"


class Difference(msgspec.Struct, frozen=True):
    """One candidate's line before and after; `places_moved` is positive upwards, None where one side has no place."""

    candidate: str
    move: Move
    before: Entry | None
    after: Entry | None
    places_moved: int | None
    why: list[Change]


def difference(before: Sequence[Entry], after: Sequence[Entry], changes: Sequence[Change]) -> list[Difference]:
    """Who came in, who left, who changed; with the changes that name them, in the order of the lists."""
    old, new = ({each.candidate: each for each in entries} for entries in (before, after))
    found = []
    for candidate in dict.fromkeys([*old, *new]):
        one, other = old.get(candidate), new.get(candidate)
        if one != other:
            why = [change for change in changes if change.candidate == candidate]
            found.append(Difference(candidate, _move(one, other), one, other, _places_moved(one, other), why))
    return found


def _move(before: Entry | None, after: Entry | None) -> Move:
    if before is None:
        return Move.CAME_IN
    if after is None:
        return Move.LEFT
    if before.outcome != after.outcome:
        return Move.PROMOTED if after.outcome == "selected" else Move.DEMOTED
    return Move.MOVED if (before.group, before.level) != (after.group, after.level) else Move.PLACE


def _places_moved(before: Entry | None, after: Entry | None) -> int | None:
    if before is None or after is None or before.group != after.group:
        return None
    return None if before.place is None or after.place is None else before.place - after.place
