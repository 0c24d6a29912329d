"""The editor form: structured fields in and out of rules.toml, so that form and file give the same text. Pure.

The author's comments and layout stay (tomlkit). Called by `api.py`.
"""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, InlineTable, Table

from services.registry.rounds.reading import Problem

_MOMENTS = ("opens", "closes")


class BadField(Exception):
    """A field that fits nowhere in the rules; the text says which and what belongs there."""


def fields_of(text: str) -> dict[str, Any]:
    """The rules as nested fields, for a form; empty where the text is no TOML."""
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError:
        return {}


def edited(text: str, fields: Mapping[str, Any]) -> str:
    """rules.toml with the given fields; a table keeps what is not named, a list is replaced whole, None removes.

    Raises BadField.
    """
    try:
        document = tomlkit.parse(text.removeprefix("\ufeff"))
    except TOMLKitError as error:
        raise BadField(f"The present rules.toml is no TOML ({error}); put the file in order first.") from None
    _merge(document, fields, "")
    return tomlkit.dumps(document)


def _merge(container: Any, fields: Mapping[str, Any], path: str) -> None:
    for key, value in fields.items():
        where = f"{path}.{key}" if path else key
        if value is None:
            container.pop(key, None)
        elif isinstance(value, Mapping):
            present = container.get(key)
            if not isinstance(present, Table | InlineTable):
                # A window reads best on one line, as the shipped rules have it.
                present = tomlkit.inline_table() if path else tomlkit.table()
                _merge(present, value, where)
                container[key] = present
            else:
                _merge(present, value, where)
        else:
            container[key] = _value(key, value, where)


def _value(key: str, value: Any, where: str) -> Any:
    if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        return _tables(value, where)
    if key in _MOMENTS and isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            raise BadField(f"{where} must be a date and time with offset, like 2020-10-22T09:00:00+08:00.") from None
    if isinstance(value, str | int | bool) or (
        isinstance(value, list) and all(isinstance(x, str | int) for x in value)
    ):
        return value
    raise BadField(f"{where} must be a text, a whole number, a list of them, or tables; decimals are texts.")


def _tables(values: list[Any], where: str) -> AoT:
    tables = tomlkit.aot()
    for place, each in enumerate(values):
        table = tomlkit.table()
        _merge(table, each, f"{where}[{place}]")
        tables.append(table)
    return tables


def problem_facts(problems: list[Problem]) -> list[dict[str, Any]]:
    """Problems as JSON: file, line (None where none is to blame), reason."""
    return [{"file": each.file, "line": each.line or None, "reason": each.reason} for each in problems]
