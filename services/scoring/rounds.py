"""A round as this service sees it: the frozen rules, candidates and panel of the newest `registry.rounds` message.

Pure: built from the message, asked with the time given. Pages, API and combination all read rounds from here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import msgspec

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
    """A frozen round; `standing` are the candidates that did not withdraw, in the order of their numbers."""

    message: RoundMessage
    rules: Rules
    standing: tuple[CandidateCard, ...]

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
        """The panel is the round's list of experts; a round without a list is open to any expert account."""
        return not self.message.experts or expert in self.message.experts

    def panel(self, having_sheets: Collection[str]) -> tuple[str, ...]:
        """User names of those who score, in order: the list, or whoever began a sheet."""
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


def read_round(body: bytes) -> Round:
    """Build a round from a stored message; raises InputError for rules that no service could have frozen."""
    message = decode(body)
    assert isinstance(message, RoundMessage)
    standing = sorted((card for card in message.candidates if card.withdrawn_at is None), key=_by_number)
    return Round(message, parse_rules(message.rules.encode()), tuple(standing))


def _by_number(card: CandidateCard) -> tuple[int, str]:
    return card.number, card.candidate
