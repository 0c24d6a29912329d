"""The ballot rule of a round, checked again on the server: pure functions over the frozen rules."""

from __future__ import annotations

from collections import Counter
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

    def problem(self, choices: Sequence[str]) -> str | None:
        """What is wrong with the choices, as a sentence that says what to do; None when nothing is."""
        if len(set(choices)) != len(choices):
            return "A candidate is named twice; name each candidate once."
        chosen: list[Choice] = []
        for candidate in choices:
            known = self.candidates.get(candidate)
            if known is None:
                return "A choice is not a candidate of this round; load the page again."
            if known.withdrawn_at is not None:
                return f"Candidate number {known.number} has been withdrawn; choose another."
            chosen.append(known)
        if len(chosen) < self.choices_min:
            return f"Choose at least {self.choices_min} candidates; {len(chosen)} are chosen."
        if len(chosen) > self.choices_max:
            return f"Choose at most {self.choices_max} candidates; {len(chosen)} are chosen."
        return self._spread(chosen)

    def _spread(self, chosen: Sequence[Choice]) -> str | None:
        if self.group_max:
            group, count = Counter(choice.group for choice in chosen).most_common(1)[0]
            if count > self.group_max:
                return f"Choose at most {self.group_max} from one group; {count} are from {group}."
        channels = {choice.channel for choice in chosen}
        if len(channels) < self.channels_min:
            return f"Choose from at least {self.channels_min} channels; all are from {len(channels)}."
        return None
