"""The ballot rule of a round, checked again on the server: pure functions over the frozen rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec


class Choice(msgspec.Struct, frozen=True):
    """A candidate as the ballot rule sees it."""

    number: int
    group: str
    channel: str
    withdrawn_at: datetime | None = None


class BallotRule(msgspec.Struct, frozen=True):
    """`[ballot]` of the rules, with the round's candidates by identifier; 0 means no limit."""

    choices_min: int
    choices_max: int
    group_max: int
    channels_min: int
    candidates: Mapping[str, Choice]

    def check(self, choices: Sequence[str]) -> tuple[int, ...] | str:
        """The candidates' numbers in order, or what is wrong, as a sentence that says what to do."""
        if len(set(choices)) != len(choices):
            return "A candidate is named twice; name each candidate once."
        try:
            chosen = [self.candidates[candidate] for candidate in choices]
        except KeyError:
            return "A choice is not a candidate of this round; load the page again."
        for choice in chosen:
            if choice.withdrawn_at is not None:
                return f"Candidate number {choice.number} has been withdrawn; choose another."
        if not self.choices_min <= len(chosen) <= self.choices_max:
            least = len(chosen) < self.choices_min
            bound = f"at least {self.choices_min}" if least else f"at most {self.choices_max}"
            return f"Choose {bound} candidates; {len(chosen)} are chosen."
        return self._spread(chosen) or tuple(sorted([choice.number for choice in chosen]))

    def _spread(self, chosen: Sequence[Choice]) -> str:
        if self.group_max:
            groups = [choice.group for choice in chosen]
            fullest = max(groups, key=groups.count, default="")
            if groups.count(fullest) > self.group_max:
                return f"Choose at most {self.group_max} from one group; {groups.count(fullest)} are from {fullest}."
        channels = {choice.channel for choice in chosen}
        if len(channels) < self.channels_min:
            return f"Choose from at least {self.channels_min} channels; all are from {len(channels)}."
        return ""
