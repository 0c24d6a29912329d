"""Where in a TOML text each table and key stands: `tomllib` reads values but forgets their lines.

A line scanner, only used to point at the culprit of an error; it follows headers, keys, multi-line strings and
multi-line arrays. Keys inside an inline table are found on the line of the table.
"""

import re

Path = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_STRING_OR_COMMENT = re.compile(r'''"""|\'\'\'|"(?:\\.|[^"\\])*"|'[^']*'|\#.*''')


class TomlLines:
    """The line of each path, such as `("criteria", 0, "weight")`, in one text."""

    def __init__(self, text: str) -> None:
        """Scan the text once."""
        self._line_of: dict[Path, int] = {}
        self._tables_seen: dict[Path, int] = {}
        self._table: Path = ()
        self._closing: str | None = None
        self._depth = 0
        for number, line in enumerate(text.split("\n"), start=1):
            self._scan(number, line)

    def line(self, path: Path) -> int:
        """Return the line of a path, or of the nearest thing around it; 1 where the file has nothing of it."""
        while path and path not in self._line_of:
            path = path[:-1]
        return self._line_of.get(path, 1)

    def _scan(self, number: int, line: str) -> None:
        starts_statement = self._closing is None and self._depth == 0
        if starts_statement and (header := _HEADER.match(line)):
            self._enter_table(header.group(1) == "[[", _parts(header.group(2)), number)
            return
        if starts_statement and (key := _KEY.match(line)):
            path = self._table
            for part in _parts(key.group(1)):
                path = (*path, part)
                self._line_of.setdefault(path, number)
            line = line[key.end() :]
        self._follow_value(line)

    def _enter_table(self, is_array: bool, parts: tuple[str, ...], number: int) -> None:
        path: Path = ()
        for position, part in enumerate(parts):
            path = (*path, part)
            self._line_of.setdefault(path, number)
            is_last = position == len(parts) - 1
            if is_last and is_array:
                self._tables_seen[path] = self._tables_seen.get(path, -1) + 1
            if path in self._tables_seen:
                path = (*path, self._tables_seen[path])
        self._table = path
        self._line_of.setdefault(path, number)

    def _follow_value(self, rest: str) -> None:
        """Keep track of what stays open at the end of the line: a multi-line string, or brackets."""
        while rest:
            if self._closing is not None:
                end = rest.find(self._closing)
                if end < 0:
                    return
                rest, self._closing = rest[end + 3 :], None
                continue
            token = _STRING_OR_COMMENT.search(rest)
            plain = rest[: token.start()] if token else rest
            self._depth = max(0, self._depth + plain.count("[") - plain.count("]"))
            rest = rest[token.end() :] if token else ""
            if token and token.group() in ('"""', "'''"):
                self._closing = token.group()


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
