"""Every public event that the code writes has a word on the pages, in both languages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from babel.messages.pofile import read_po

from services.shared.pages import event_name
from services.shared.vocabulary import EVENTS

SERVICES = Path(__file__).parents[3] / "services"
# Which argument of each call is the event's name.
WRITERS = {"add_event": 3, "_publish_event": 3, "RoundEvent": 1}


def _written() -> Iterator[tuple[str, Path]]:
    for path in SERVICES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            place = WRITERS.get(called, len(node.args))
            event = node.args[place] if place < len(node.args) else None
            if isinstance(event, ast.Constant) and isinstance(event.value, str):
                yield event.value, path


def test_every_event_that_is_written_has_a_word() -> None:
    """And no word is kept for an event that nobody writes."""
    assert {event for event, _ in _written()} == set(EVENTS)


def test_the_words_of_events_are_translated() -> None:
    """They come out of a table, so that no template names them."""
    with (SERVICES / "shared" / "locales" / "en" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        known = {message.id for message in read_po(file, locale="en") if message.string}
    assert [word for word in EVENTS.values() if word not in known] == []


def test_an_event_of_a_later_version_stands_as_it_is() -> None:
    """A page of an older process must not break over it."""
    assert event_name("moved_to_mars") == "moved_to_mars"
