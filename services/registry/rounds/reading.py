"""Reading a TOML file of a round so that *every* mistake is told at once, each with its line.

The rules themselves are read by `shared/ranking`, which stops at the first mistake; a person with forty application
files wants them all. Called by `applications.py` and `companions.py`.
"""

import tomllib
from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from services.shared.ranking.errors import InputError, shown
from services.shared.ranking.fields import read_toml
from services.shared.ranking.numbers import parse_decimal
from services.shared.ranking.toml_lines import Path, TomlLines

PROBLEMS_MAX = 200
COUNT_MAX = 1000
AMOUNT_MAX = Decimal("1000000000")


class Problem(msgspec.Struct, frozen=True, order=True):
    """One mistake in a file of a round; `line` is 0 where no single line is to blame."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}" if self.line else f"{self.file}: {self.reason}"


def problem_of(error: InputError) -> Problem:
    return Problem(error.file, error.line or 0, error.reason)


class Reader:
    """One table of a file; every getter notes what is wrong in `problems` and answers with an empty value then."""

    def __init__(
        self, file: str, lines: TomlLines, path: Path, values: Mapping[str, Any], found: list[Problem]
    ) -> None:
        self.file, self._lines, self._path, self._values = file, lines, path, values
        self.problems = found

    @classmethod
    def of(cls, text: str, file: str, problems: list[Problem]) -> "Reader | None":
        """The root of a file; None where it is no TOML at all."""
        try:
            read_toml(text.encode(), file)
        except InputError as error:
            problems.append(problem_of(error))
            return None
        plain = text.removeprefix("\ufeff")
        return cls(file, TomlLines(plain), (), tomllib.loads(plain), problems)

    def blame(self, key: str | None, reason: str) -> None:
        """Note a mistake at a key (None: at the table)."""
        path = self._path if key is None else (*self._path, key)
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(Problem(self.file, self._lines.line(path), reason))

    def keys(self) -> list[str]:
        return list(self._values)

    def only(self, *known: str) -> None:
        for key in self._values:
            if key not in known:
                self.blame(key, f"unknown key {shown(key)}{self._place()}; use any of: {', '.join(known)}")

    def _place(self) -> str:
        names = [str(part) for part in self._path if isinstance(part, str)]
        return f" in [{'.'.join(names)}]" if names else ""

    def text(self, key: str, length_max: int, *, lines: bool = False, required: bool = True) -> str:
        """A text of at most so many characters; `lines` allows several lines."""
        value = self._values.get(key)
        if value is None and not required:
            return ""
        if not isinstance(value, str) or not value.strip():
            self.blame(key, f"{key}{self._place()} is missing or empty; write a text in quotes")
            return ""
        allowed = "\n\t" if lines else ""
        if any(ord(character) < 32 and character not in allowed for character in value.replace("\r\n", "\n")):
            self.blame(key, f"{key} holds a control character or a line break; remove it")
        elif len(value) > length_max:
            self.blame(key, f"{key} has {len(value)} characters; at most {length_max} are allowed")
        return value.strip()

    def word(self, key: str, words: Collection[str]) -> str:
        value = self._values.get(key)
        if not isinstance(value, str) or value not in words:
            written = shown(str(value)) if value is not None else "missing"
            self.blame(key, f"{key}{self._place()} is {written}; use one of: {', '.join(words)}")
            return ""
        return value

    def amount(self, key: str) -> Decimal:
        """Yuan with at most two decimals, above 0, as a text."""
        value = self._values.get(key)
        number = parse_decimal(value) if isinstance(value, str) else None
        if number is None or number <= 0 or (number * 100).denominator != 1 or number > AMOUNT_MAX:
            self.blame(key, f'{key} must be an amount above 0 with at most two decimals in quotes, like "12000.00"')
            return Decimal(0)
        return Decimal(str(value))

    def count(self, key: str) -> int:
        """A whole number above 0."""
        value = self._values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= COUNT_MAX:
            self.blame(key, f"{key} must be a whole number from 1 to {COUNT_MAX}, without quotes")
            return 0
        return value

    def day(self, key: str) -> date | None:
        value = self._values.get(key)
        if not isinstance(value, date) or isinstance(value, datetime):
            self.blame(key, f"{key} must be a day without quotes, like 2021-11-30")
            return None
        return value

    def texts(self, key: str, length_max: int) -> list[str]:
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) and len(each) <= length_max for each in value):
            self.blame(key, f"{key} must be a list of texts in quotes, each at most {length_max} characters")
            return []
        return list(value)

    def table(self, key: str) -> "Reader | None":
        value = self._values.get(key)
        if not isinstance(value, dict):
            self.blame(key, f"[{key}] is missing; add the table")
            return None
        return Reader(self.file, self._lines, (*self._path, key), value, self.problems)

    def tables(self, key: str, minimum: int, maximum: int) -> list["Reader"]:
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self.blame(key, f"{key} must be tables, each under its own [[{key}]]")
            return []
        if not minimum <= len(value) <= maximum:
            self.blame(key, f"there are {len(value)} of [[{key}]]; {minimum} to {maximum} are allowed")
        return [
            Reader(self.file, self._lines, (*self._path, key, place), each, self.problems)
            for place, each in enumerate(value)
        ]
