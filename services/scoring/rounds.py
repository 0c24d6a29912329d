"""A round as this service sees it: the newest `registry.rounds` message, the seats of a drawn panel, and conflicts.

Pure: built from what is stored, asked with the time given. Pages, API and combination all read rounds from here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from services.scoring.panels.conflicts import in_conflict
from services.shared.messages import CandidateCard, CriterionText, RoundMessage, decode
from services.shared.ranking.model import Criterion, Rules, Window
from services.shared.ranking.rules import parse_rules


class WindowState(msgspec.Struct, frozen=True):
    """The scoring window as everybody may know it; a round without one has neither end."""

    state: str
    opens_at: datetime | None
    closes_at: datetime | None


@dataclass(frozen=True, slots=True)
class Round:
    """A frozen round; `standing` are the candidates that did not withdraw, in the order of their numbers.

    `seats`: experts by candidate, where a panel was drawn (else empty). `conflicts`: candidates by expert who, as facts
    tell, must not score them.
    """

    message: RoundMessage
    rules: Rules
    standing: tuple[CandidateCard, ...]
    seats: Mapping[str, frozenset[str]] = field(default_factory=dict)
    conflicts: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.message.round

    @property
    def title(self) -> str:
        return self.rules.round.title or self.message.round

    @property
    def timezone(self) -> str:
        return self.rules.round.timezone or "UTC"

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        return self.rules.criteria

    def card(self, candidate: str) -> CandidateCard | None:
        """The candidate's card, also of one that withdrew."""
        return next((card for card in self.message.candidates if card.candidate == candidate), None)

    def text_of(self, criterion: str) -> CriterionText:
        """What the expert reads beside a criterion; empty where the round says nothing."""
        found = (text for text in self.message.criteria if text.criterion == criterion)
        return next(found, CriterionText(criterion=criterion, description=""))

    def is_panellist(self, expert: str) -> bool:
        """Whether somebody scores here: by a seat of the drawn panel, else by the round's list of experts.

        A round with neither is open to any expert account.
        """
        if self.seats:
            return any(expert in experts for experts in self.seats.values())
        return not self.message.experts or expert in self.message.experts

    def is_tied(self, expert: str, candidate: str) -> bool:
        """Whether facts tell a conflict of interest."""
        return in_conflict(self.conflicts, expert, candidate)

    def scores(self, expert: str, candidate: str) -> bool:
        """Whether this expert scores this candidate."""
        seated = expert in self.seats.get(candidate, ()) if self.seats else self.is_panellist(expert)
        return seated and not self.is_tied(expert, candidate)

    def cards_of(self, expert: str) -> list[CandidateCard]:
        """What the expert scores, in the order of the drawn numbers."""
        return [card for card in self.standing if self.scores(expert, card.candidate)]

    def panel(self, having_sheets: Collection[str]) -> tuple[str, ...]:
        """User names of those who score, in order: the seats, the list, or whoever began a sheet."""
        if self.seats:
            return tuple(sorted(set().union(*self.seats.values())))
        return tuple(self.message.experts or sorted(having_sheets))

    def window(self) -> Window | None:
        """The scoring window as it holds now: closing the round early ends a window that was open then.

        A round without criteria has nothing to score, whatever its windows say.
        """
        window, closed_at = self.rules.windows.scoring, self.message.closed_early_at
        if not self.criteria:
            return None
        if window is not None and closed_at is not None and window.opens <= closed_at < window.closes:
            return Window(window.opens, closed_at)
        return window

    def window_state(self, now: datetime) -> WindowState:
        """`none`, `scheduled`, `open` or `closed`; half-open: the moment of closing is outside."""
        window = self.window()
        if window is None:
            return WindowState("none", None, None)
        state = "scheduled" if now < window.opens else "open" if now < window.closes else "closed"
        return WindowState(state, window.opens, window.closes)


def read_round(
    body: bytes,
    seats: Mapping[str, frozenset[str]] | None = None,
    conflicts: Mapping[str, frozenset[str]] | None = None,
) -> Round:
    """Build a round from what is stored; raises InputError for rules that no service could have frozen."""
    message = decode(body)
    assert isinstance(message, RoundMessage)
    standing = sorted((card for card in message.candidates if card.withdrawn_at is None), key=_by_number)
    return Round(message, parse_rules(message.rules.encode()), tuple(standing), seats or {}, conflicts or {})


def _by_number(card: CandidateCard) -> tuple[int, str]:
    return card.number, card.candidate
