"""Finding the line of a key in TOML that is written in every allowed way."""

import pytest

from services.shared.ranking.toml_lines import Path, TomlLines

TEXT = '''# a = 0
a = 1
text = """
b = 2
[c]
"""
list = [
  "]", # ]
  [3],
]
"quoted key" = 4
dotted.inner = 5
[c]
d = 6 # [x]
raw = \'\'\' = [ \'\'\'
e = { f = 7, g = 8 }
[c.sub]
h = "["
[[many]]
i = 9
[[many]]
i = 10
[many.inside]
j = 11
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 2),
        (("text",), 3),
        (("list",), 7),
        (("quoted key",), 11),
        (("dotted", "inner"), 12),
        (("c",), 13),
        (("c", "d"), 14),
        (("c", "raw"), 15),
        (("c", "e"), 16),
        (("c", "e", "f"), 16),
        (("c", "sub", "h"), 18),
        (("many",), 19),
        (("many", 0, "i"), 20),
        (("many", 1, "i"), 22),
        (("many", 1), 21),
        (("many", 1, "inside", "j"), 24),
        (("many", 1, "missing"), 21),
        (("nowhere",), 1),
    ],
)
def test_lines(path: Path, line: int) -> None:
    assert TomlLines(TEXT).line(path) == line
