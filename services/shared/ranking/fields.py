"""Reading one TOML table key by key: each value typed and bounded, each error with its line, nothing left unread.

Called by the section readers of `rules.py` and for `reveal.toml`.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Final, NoReturn, TypeVar, get_args

from services.shared.ranking.errors import InputError, shown
from services.shared.ranking.numbers import parse_decimal
from services.shared.ranking.toml_lines import Path, TomlLines

Word = TypeVar("Word", bound=str)

INTEGER_MAX: Final = 1_000_000_000
DECIMALS_MAX: Final = 20
FILE_BYTES_MAX: Final = 1_048_576
IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LINE_IN_MESSAGE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class Table:
    """One table of a TOML file; every getter names its default, the value of a key left out."""

    def __init__(self, file: str, lines: TomlLines, path: Path, values: Mapping[str, object]) -> None:
        """Wrap the values that stand at `path`."""
        self._file = file
        self._lines = lines
        self._path = path
        self._values = values

    def __contains__(self, key: str) -> bool:
        """Tell whether the key was written."""
        return key in self._values

    def keys(self) -> tuple[str, ...]:
        """Return the keys in file order."""
        return tuple(self._values)

    def refuse(self, key: str | None, reason: str) -> NoReturn:
        """Raise an InputError at the key (None: at the table itself)."""
        path = self._path if key is None else (*self._path, key)
        raise InputError(self._file, self._lines.line(path), reason)

    def only(self, *known: str) -> None:
        """Refuse any key that is not one of `known`."""
        for key, value in self._values.items():
            if key not in known:
                kind = "table" if isinstance(value, dict) or _is_table_array(value) else "key"
                place = f" in {self.name}" if self._path else ""
                self.refuse(key, f"unknown {kind} {shown(key)}{place}; remove it or use one of: {', '.join(known)}")

    @property
    def name(self) -> str:
        """The table as a person writes it, such as `[criteria] number 2`."""
        names = "[" + ".".join(str(part) for part in self._path if isinstance(part, str)) + "]"
        numbers = [part for part in self._path if isinstance(part, int)]
        return f"{names} number {numbers[-1] + 1}" if numbers else names

    def text(self, key: str, default: str = "") -> str:
        """Read a text on one line."""
        value = self._values.get(key, default)
        if not isinstance(value, str):
            self.refuse(key, f"{key} must be a text in quotes")
        if any(ord(character) < 32 or ord(character) == 127 for character in value):
            self.refuse(key, f"{key} holds a control character; write it on one line")
        return value

    def identifier(self, key: str) -> str:
        """Read an identifier that must be there: letters, digits, `_` and `-`, at most 64."""
        if key not in self._values:
            self.refuse(None, f'{self.name} has no {key}; add {key} = "…"')
        value = self.text(key)
        if not IDENTIFIER.fullmatch(value):
            self.refuse(key, f"{key} {shown(value)} must be 1 to 64 letters, digits, _ or -")
        return value

    def integer(self, key: str, default: int, minimum: int = 0) -> int:
        """Read a whole number from `minimum` to 1,000,000,000."""
        return self._whole_number(key, self._values.get(key, default), minimum, INTEGER_MAX)

    def _whole_number(self, key: str, value: object, minimum: int, maximum: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            self.refuse(key, f"{key} must be a whole number from {minimum} to {maximum}, without quotes")
        return value

    def decimal(self, key: str, default: str) -> Fraction:
        """Read a decimal, a text such as "0.25"; 0 or more."""
        number = self._decimal(key, self._values.get(key, default))
        if number < 0:
            self.refuse(key, f"{key} must not be below 0")
        return number

    def signed_decimal(self, key: str, default: str) -> Fraction:
        """Read a decimal of either sign."""
        return self._decimal(key, self._values.get(key, default))

    def decimal_or_none(self, key: str) -> Fraction | None:
        """Read a decimal of either sign; left out or "" is None."""
        value = self._values.get(key, "")
        return None if value == "" else self._decimal(key, value)

    def _decimal(self, key: str, value: object) -> Fraction:
        number = parse_decimal(value) if isinstance(value, str) else None
        if number is None:
            self.refuse(key, f'{key} must be a decimal in quotes, like "0.25", not {_written(value)}')
        return number

    def decimals(self, key: str) -> int | None:
        """Read a number of decimals to round to; left out or "" is None, unrounded."""
        value = self._values.get(key, "")
        if value == "":
            return None
        if isinstance(value, str):
            self.refuse(key, f'{key} must be a whole number without quotes, or "" for unrounded')
        return self._whole_number(key, value, 0, DECIMALS_MAX)

    def word(self, key: str, default: Word, words: object) -> Word:
        """Read one of the words of a Literal type."""
        value = self._values.get(key, default)
        allowed = get_args(words)
        if value not in allowed:
            self.refuse(key, f"{key} {_written(value)} is unknown; use one of: {', '.join(allowed)}")
        return value  # type: ignore[return-value]  # it is one of the Literal's words

    def list_of_texts(self, key: str) -> tuple[str, ...]:
        """Read a list of different texts."""
        values = self._list(key)
        texts = tuple(value for value in values if isinstance(value, str))
        if len(texts) != len(values):
            self.refuse(key, f"{key} must be a list of texts in quotes")
        for position, text in enumerate(texts):
            if text in texts[:position]:
                self.refuse(key, f"{key} names {shown(text)} twice; name it once")
        return texts

    def list_of_points(self, key: str) -> tuple[Fraction, ...]:
        """Read a list of points ≥ 0, whole numbers or decimals in quotes."""
        points = []
        for value in self._list(key):
            plain = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
            number = self._decimal(key, plain)
            if number < 0:
                self.refuse(key, f"{key} must not hold points below 0")
            points.append(number)
        return tuple(points)

    def _list(self, key: str) -> Sequence[object]:
        value = self._values.get(key, [])
        if not isinstance(value, list):
            self.refuse(key, f"{key} must be a list, like []")
        return value

    def moment(self, key: str) -> datetime:
        """Read a point in time with offset that must be there."""
        value = self._values.get(key)
        if not isinstance(value, datetime) or value.tzinfo is None:
            self.refuse(key, f"{key} must be a date and time with offset, like 2020-10-22T09:00:00+08:00")
        return value

    def table(self, key: str) -> "Table":
        """Read a table; one left out is empty."""
        value = self._values.get(key, {})
        if not isinstance(value, dict):
            self.refuse(key, f"{key} must be a table, [{key}]")
        return Table(self._file, self._lines, (*self._path, key), value)

    def tables(self, key: str) -> tuple["Table", ...]:
        """Read an array of tables; one left out is empty."""
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self.refuse(key, f"{key} must be tables, each under its own [[{key}]]")
        return tuple(
            Table(self._file, self._lines, (*self._path, key, position), each) for position, each in enumerate(value)
        )


def read_toml(data: bytes, file: str) -> Table:
    """Parse the bytes of a TOML file; a BOM and CRLF are accepted. Raises InputError with the line."""
    if len(data) > FILE_BYTES_MAX:
        raise InputError(file, None, f"is larger than {FILE_BYTES_MAX} bytes; this is no file of ours")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(file, line, "is not UTF-8; save it as UTF-8") from None
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _not_toml(error, text, file) from None
    return Table(file, TomlLines(text), (), values)


def _not_toml(error: Exception, text: str, file: str) -> InputError:
    message = str(error)
    found = _LINE_IN_MESSAGE.search(message)
    line = int(found.group(1)) if found and found.group(1) else text.rstrip("\n").count("\n") + 1
    reason = _LINE_IN_MESSAGE.sub("", message) if found else "values are nested too deeply or too large"
    return InputError(file, line, f"is not valid TOML: {reason}; correct this line")


def _is_table_array(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _written(value: object) -> str:
    """Show a value roughly as it was written."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)[:40]
    return f"a {type(value).__name__}"
