"""What a file of a call would say after a change, and what would be wrong with it; nothing is stored.

The form and the file come through here alike, so that both give the same text and the same places of mistakes.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from services.registry.calls import calls, store
from services.registry.calls.differences import difference
from services.registry.calls.drafts import FILES, RULES, problems_of_announcing, read_call
from services.registry.calls.editing import BadField, edited, fields_of, problem_facts
from services.registry.calls.store import Call
from services.registry.rounds.freezing import bad_round
from services.registry.rounds.reading import Problem
from services.shared.pages import LANGUAGES
from services.shared.postgres import Pool
from services.shared.ranking.advice import advice_in
from services.shared.ranking.toml_lines import TomlLines

_MOMENTS = ("opens", "closes")


async def preview(
    pool: Pool, call: Call, name: str, fields: Mapping[str, Any] | None, content: str | None, now: datetime
) -> dict[str, Any]:
    """The text, its difference from the stored one, problems with file, line and field, and warnings.

    `advice` are the warnings in each language of the pages; `announcing` are problems that only stop an announcement.
    Raises Refusal `bad_round` where a field fits nowhere.
    """
    if name not in FILES:
        raise bad_round([Problem(name[:120], 0, f"is no file of a call; use any of: {', '.join(FILES)}")])
    files = await store.files(pool, call)
    before = files.get(name, "")
    text = _text(before, name, fields or {}, ZoneInfo(call.timezone)) if content is None else content
    changed = {**files, name: text}
    if not text and name != RULES:
        del changed[name]
    checked = calls.check(changed)
    draft, _ = read_call(changed)
    announcing = problems_of_announcing(draft, await store.channels(pool), now) if draft and _is_draft(call) else []
    places = fields_by_line(text)
    return {
        "call": call.call, "version": call.version, "file": name, "text": text, "difference": difference(before, text),
        "problems": [_placed(each, name, places) for each in checked["problems"]],
        "announcing": [_placed(each, name, places) for each in problem_facts(announcing)],
        "warnings": checked["warnings"],
        "advice": [{lang: advice_in(each, lang) for lang in LANGUAGES} for each in checked["warnings"]],
    }  # fmt: skip


def _is_draft(call: Call) -> bool:
    return call.state == "draft"


def _text(before: str, name: str, fields: Mapping[str, Any], zone: tzinfo) -> str:
    try:
        return edited(before, with_offsets(fields, zone))
    except BadField as error:
        raise bad_round([Problem(name, 0, str(error))]) from None


def with_offsets(fields: Mapping[str, Any], zone: tzinfo) -> dict[str, Any]:
    """Moments that a person typed without an offset are in the call's own time zone; what is no moment stays."""
    found: dict[str, Any] = {}
    for key, value in fields.items():
        if isinstance(value, Mapping):
            found[key] = with_offsets(value, zone)
        else:
            found[key] = _moment(value, zone) if key in _MOMENTS and isinstance(value, str) else value
    return found


def _moment(text: str, zone: tzinfo) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if moment.tzinfo else moment.replace(tzinfo=zone).isoformat()


def fields_by_line(text: str) -> dict[int, str]:
    """Line → the field that stands there, as the form names it (`windows.voting`, `criteria.0.weight`)."""
    lines = TomlLines(text)
    found: dict[int, str] = {}
    for path in _paths(fields_of(text), ()):
        found.setdefault(lines.line(path), ".".join(map(str, path)))
    return found


def _paths(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Every path of nested fields, tables before what they hold."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from _paths(inside, (*path, key))
    elif isinstance(value, list):
        for place, inside in enumerate(value):
            if isinstance(inside, dict):
                yield from _paths(inside, (*path, place))


def _placed(problem: dict[str, Any], name: str, places: Mapping[int, str]) -> dict[str, Any]:
    field = places.get(problem["line"] or 0, "") if problem["file"] == name else ""
    return {**problem, "field": field}
