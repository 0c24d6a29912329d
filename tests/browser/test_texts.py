"""Every Chinese text of the templates has an English one; no browser needed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from services.shared.vocabulary import CATEGORIES, LEVELS
from services.voting import page_views

SERVICES = Path(__file__).parents[2] / "services"
_TEXT = re.compile(r'\b_\(\s*"((?:[^"\\]|\\.)*)"\s*\)')


def _english(*owners: str) -> dict[str, str]:
    known: dict[str, str] = {}
    for owner in owners:
        with (SERVICES / owner / "locales" / "en" / "LC_MESSAGES" / "messages.po").open("rb") as file:
            known |= {str(message.id): str(message.string) for message in read_po(file, locale="en") if message.id}
    return known


@pytest.mark.parametrize("owner", ["shared", "voting", "scoring", "registry"])
def test_every_text_of_a_template_is_translated(owner: str) -> None:
    """What is missing would stand in Chinese on an English page."""
    known = _english("shared", owner)
    asked = {
        text for path in (SERVICES / owner / "templates").glob("*.html") for text in _TEXT.findall(path.read_text())
    }
    assert asked
    assert sorted(text for text in asked if not known.get(text)) == []


@pytest.mark.parametrize("owner", ["voting", "scoring", "registry"])
def test_no_service_says_a_shared_text_in_another_way(owner: str) -> None:
    """It would rename the platform in the header of that service's pages."""
    assert sorted(_english("shared").keys() & _english(owner).keys()) == []


def test_every_text_of_the_page_views_is_translated() -> None:
    """The names that Python hands to the templates, and the sentences it makes."""
    known = _english("shared", "voting")
    source = Path(page_views.__file__).read_text()
    texts = set(re.findall(r'"([^"\n]*[\u4e00-\u9fff，。][^"\n]*)"', source))
    texts |= {*LEVELS.values(), *CATEGORIES.values()}
    assert len(texts) > 30
    assert sorted(text for text in texts if not known.get(text)) == []


@pytest.mark.parametrize("owner", ["shared", "voting"])
def test_translations_keep_the_places_of_numbers(owner: str) -> None:
    """`{n}` in Chinese is `{n}` in English, or the page would show braces."""
    for chinese, english in _english(owner).items():
        assert set(re.findall(r"\{\w+\}", chinese)) == set(re.findall(r"\{\w+\}", english)), chinese
