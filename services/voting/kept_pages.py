"""Rendered pages of one round, kept for whoever comes next: at the opening everybody wants the same few."""

from __future__ import annotations

from collections.abc import Callable, Hashable

_LETTERS_MAX = 16_000_000


class KeptPages:
    """Texts by what they depend on, as long as the round's phase lasts; bounded memory."""

    def __init__(self) -> None:
        self._phase: Hashable = None
        self._texts: dict[Hashable, str] = {}
        self._letters = 0

    def take(self, phase: Hashable, key: Hashable, make: Callable[[], str]) -> str:
        """The text of this key, made where it is not there."""
        if phase != self._phase or self._letters > _LETTERS_MAX:
            self._phase, self._texts, self._letters = phase, {}, 0
        if key not in self._texts:
            text = self._texts[key] = make()
            self._letters += len(text)
        return self._texts[key]
