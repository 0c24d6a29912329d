"""Both halves of the tests: what gave up beside the other half is asked once more, and what fails then has failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import halves

STEADY = "def test_holds(): pass\n"
FAILS = "def test_fails(): assert False\n"
UNSTEADY = """
from pathlib import Path

def test_holds_the_second_time():
    seen = Path(__file__).with_suffix(".seen")
    first = not seen.exists()
    seen.touch()
    assert not first
"""


@pytest.mark.parametrize(
    ("text", "code", "is_named"),
    [
        (STEADY, 0, False),
        (UNSTEADY, 0, True),
        (FAILS, 1, False),
        (UNSTEADY + FAILS, 1, True),
        ("".join(f"def test_{number}(): assert False\n" for number in range(halves.ASKED_AGAIN_MAX + 1)), 1, False),
        ("def test_broken(:\n", 2, False),
    ],
    ids=["steady", "unsteady", "fails", "one of two", "too many", "broken"],
)
async def test_what_failed_is_asked_once_more(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    text: str,
    code: int,
    is_named: bool,
) -> None:
    for name, content in (("platforms", text), ("services", STEADY)):
        (tmp_path / f"test_{name}.py").write_text(content, encoding="utf-8")
        monkeypatch.setitem(halves.HALVES, name, (f"test_{name}.py",))
    monkeypatch.setattr(halves, "missing", list)
    monkeypatch.chdir(tmp_path)
    assert await halves.main(["-q"]) == code
    output = capfd.readouterr().out
    assert ("unsteady: " in output) is is_named
    assert ("== asked again" in output) is (text in (UNSTEADY, FAILS, UNSTEADY + FAILS))
