"""Rendered pages are made once for each look, anew in each phase, and take bounded memory."""

from __future__ import annotations

import pytest

from services.voting import kept_pages
from services.voting.kept_pages import KeptPages


class Maker:
    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> str:
        self.made += 1
        return f"page {self.made}"


def test_a_page_is_made_once_for_each_look() -> None:
    pages, make = KeptPages(), Maker()
    assert [pages.take("open", key, make) for key in (1, 2, 1, 2)] == ["page 1", "page 2", "page 1", "page 2"]


def test_the_next_phase_has_pages_of_its_own() -> None:
    pages, make = KeptPages(), Maker()
    assert [pages.take(phase, 1, make) for phase in ("scheduled", "open", "open")] == ["page 1", "page 2", "page 2"]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too much is given up whole: it is made again when somebody asks."""
    monkeypatch.setattr(kept_pages, "_LETTERS_MAX", 5 * len("page 1"))
    pages, make = KeptPages(), Maker()
    for key in range(100):
        pages.take("open", key, make)
        assert len(pages._texts) <= 6
    assert make.made == 100
