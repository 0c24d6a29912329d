"""Statistics as pages show them: numbers cut to what can be read, by group, and where charts draw them. Pure.

Works on the document that `statistics.document_of` gives its reader: nothing is shown which that one may not see.
Positions are shares of a chart's width in percent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any
from unicodedata import east_asian_width

from services.scoring.result_views import Page, page_of
from services.shared.ranking.numbers import print_number

Json = dict[str, Any]
WHOLE = ""
INTERVALS_MAX = 50
# So that the page stays below 300 kB however many experts there are, each with a variant of its own.
_MOVES_MAX = 20
_MOVES_OF_ALL_MAX = 400
_OUTLYING_MAX = 100
_LABEL_WIDTH = 26


def shown(number: str | None, decimals: int = 2) -> str:
    """A number of the document with so many decimals; a dash where there is none."""
    return "—" if number is None else print_number(Fraction(number), decimals, "half_up")


def percent(number: str | None, decimals: int = 1) -> str:
    """A share as a percentage."""
    return "—" if number is None else f"{print_number(Fraction(number) * 100, decimals, 'half_up')} %"


def signed(number: str, decimals: int = 2) -> str:
    """A number with its sign."""
    return ("+" if Fraction(number) > 0 else "") + shown(number, decimals)


def short(text: str, width: int = _LABEL_WIDTH) -> str:
    """A text that fits beside a chart on a phone; Chinese characters count twice."""
    used = 0
    for at, character in enumerate(text):
        used += 2 if east_asian_width(character) in "WF" else 1
        if used > width:
            return f"{text[: max(1, at - 1)]}…"
    return text


def place_between(value: Fraction, low: Fraction, high: Fraction) -> str:
    """Where a value stands on an axis from `low` to `high`."""
    share = (value - low) / (high - low) if high > low else Fraction(1, 2)
    return f"{float(min(Fraction(1), max(Fraction(0), share)) * 100):.2f}%"


def weights(document: Mapping[str, Any]) -> list[Json]:
    """Every part's nominal and effective weight, as shares of both sides together."""
    both = sum(
        (Fraction(each["nominal"]) for each in document["weights"] if each["part"] in ("votes", "experts")), Fraction(0)
    )
    found = []
    for each in document["weights"]:
        nominal = str(Fraction(each["nominal"]) / both) if both else "0"
        effective = each["effective"]
        at = {"nominal_at": _bar(nominal), "effective_at": _bar(effective)}
        found.append({**each, **at, "nominal": percent(nominal), "effective": percent(effective)})
    return found


def _bar(share: str | None) -> str:
    return place_between(Fraction(share or 0), Fraction(0), Fraction(1))


def of_group(document: Mapping[str, Any], name: str, group: str) -> list[Json]:
    return [each for each in document[name] if each["group"] == group]


def habits(document: Mapping[str, Any], group: str) -> list[Json]:
    """Experts' offsets and spreads on whole sheets, the mildest last, on an axis around 0."""
    found = [each for each in of_group(document, "experts", group) if each["criterion"] == WHOLE]
    widest = max((abs(Fraction(each["offset"])) for each in found), default=Fraction(0)) or Fraction(1)
    ordered = sorted(found, key=lambda each: (Fraction(each["offset"]), each["expert"]))
    return [{**each, "at": place_between(Fraction(each["offset"]), -widest, widest)} for each in ordered]


def intervals(document: Mapping[str, Any], group: str, number: int) -> tuple[Page[Json], int, int]:
    """Places by resampling, a page of the group, and the axis: the lowest and the highest place on this page."""
    page = page_of(of_group(document["intervals"], "places", group), number, INTERVALS_MAX)
    low = min((each["lowest"] for each in page.items), default=1)
    high = max((max(each["highest"], each["place"]) for each in page.items), default=1)
    low = min([low, *(each["place"] for each in page.items)])

    def at(place: int) -> str:
        return place_between(Fraction(place), Fraction(low), Fraction(high))

    placed = [
        {**each, "from": at(each["lowest"]), "to": at(each["highest"]), "at": at(each["place"])} for each in page.items
    ]
    return Page(placed, page.number, page.pages, page.total), low, high


def inseparable(document: Mapping[str, Any], candidates: Iterable[str]) -> dict[str, list[Json]]:
    """For each of `candidates`, the later ones that it cannot be told from, as {other, turned_share}."""
    found: dict[str, list[Json]] = {candidate: [] for candidate in candidates}
    for each in document["intervals"]["not_separable"]:
        if each["candidate"] in found:
            found[each["candidate"]].append(each)
    return {candidate: pairs for candidate, pairs in found.items() if pairs}


def variants(document: Mapping[str, Any], group: str) -> list[Json]:
    """What would move the group under other rules: `moved` places, `decided` outcomes, and the first who move.

    Those whose outcome changes come first. A leader that was doubled belongs to its own group only.
    """
    found = []
    told_max = max(1, min(_MOVES_MAX, _MOVES_OF_ALL_MAX // max(1, len(document["sensitivity"]))))
    for each in document["sensitivity"]:
        moves = [move for move in each["moves"] if move["group"] == group]
        if each["kind"] == "leader_doubled" and not moves and not _is_of(document, group, each["value"]):
            continue
        ordered = sorted(moves, key=lambda move: (move["outcome"] == move["outcome_then"], move["place"]))
        found.append(
            {
                "kind": each["kind"],
                "value": each["value"],
                "refused": each["refused"],
                "moved": sum(move["place"] != move["place_then"] for move in moves),
                "decided": sum(move["outcome"] != move["outcome_then"] for move in moves),
                "moves": ordered[:told_max],
                "left_out": max(0, len(moves) - told_max),
            }
        )
    most = max((each["moved"] for each in found), default=0) or 1
    return [{**each, "at": place_between(Fraction(each["moved"]), Fraction(0), Fraction(most))} for each in found]


def _is_of(document: Mapping[str, Any], group: str, candidate: str) -> bool:
    return any(each["candidate"] == candidate for each in of_group(document["intervals"], "places", group))


def moves_of(document: Mapping[str, Any], candidate: str) -> list[Json]:
    """Under which changed rules one candidate would stand elsewhere: kind, value and the move."""
    return [
        {"kind": each["kind"], "value": each["value"], **move}
        for each in document["sensitivity"]
        for move in each["moves"]
        if move["candidate"] == candidate
    ]


def crossings(document: Mapping[str, Any], group: str, votes: Fraction, both: Fraction) -> Json | None:
    """From which to which weight of the votes the winner stays, as shares of both weights; None without a winner."""
    found = {each["direction"]: each for each in of_group(document, "crossings", group)}
    if not found or not both:
        return None

    def end(direction: str, nothing: Fraction) -> Fraction:
        number = found[direction]["weight_number"] if direction in found else None
        return nothing if number is None else Fraction(number)

    low, high, zero = end("down", Fraction(0)), end("up", both), Fraction(0)
    return {
        "winner": next(iter(found.values()))["winner"],
        "down": found.get("down"),
        "up": found.get("up"),
        "low": percent(str(low / both)),
        "high": percent(str(high / both)),
        "present": percent(str(votes / both)),
        "from": place_between(low, zero, both),
        "to": place_between(high, zero, both),
        "at": place_between(votes, zero, both),
    }


def outlying(document: Mapping[str, Any], group: str) -> tuple[Sequence[Json], int]:
    """The marks furthest from what the others let one expect, and how many there are in all."""
    found = of_group(document, "outlying", group)
    ordered = sorted(found, key=lambda each: (-Fraction(each["deviations"]), each["candidate"], each["criterion"]))
    return ordered[:_OUTLYING_MAX], len(found)


def plain(number: str) -> str:
    """A number of the document without the zeros behind it."""
    return print_number(Fraction(number), None, "half_up")


def own_marks(marks: Sequence[Mapping[str, Any]]) -> tuple[list[Json], str, str]:
    """A candidate's marks by part with both medians, and the ends of the axis that all parts share."""
    numbers = [Fraction(number) for each in marks for number in (*each["marks"], each["group_median"])]
    low, high = min(numbers, default=Fraction(0)), max(numbers, default=Fraction(0))
    found = []
    for each in marks:
        values = [Fraction(mark) for mark in each["marks"]]
        own, group = Fraction(each["median"]), Fraction(each["group_median"])
        places = {"from": min(values), "to": max(values), "at": own, "reference": group}
        placed = {name: place_between(value, low, high) for name, value in places.items()}
        found.append({**each, **placed, "difference": signed(str(own - group))})
    return found, plain(str(low)), plain(str(high))
