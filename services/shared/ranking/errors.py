"""The one error of the ranking core: an input that cannot be used, and where it is wrong."""


class InputError(Exception):
    """An input file is wrong at a place that its author can find and correct.

    `file` is the name as the author knows it, `line` counts from 1 (None where no single line is to blame),
    `reason` says what is wrong and what to do; `str()` gives `file:line: reason`.
    """

    def __init__(self, file: str, line: int | None, reason: str) -> None:
        """Keep the three parts; control characters in `reason` are shown escaped, so that it stays one line."""
        self.file = file
        self.line = line
        self.reason = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in reason)
        super().__init__(self.file, self.line, self.reason)

    def __str__(self) -> str:
        """Return `file:line: reason`, without the line where there is none."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.reason}"


def shown(text: str, length_max: int = 80) -> str:
    """Quote a piece of somebody's input for a reason, cut to `length_max` characters."""
    cut = text if len(text) <= length_max else text[: length_max - 1] + "…"
    return f'"{cut}"'
