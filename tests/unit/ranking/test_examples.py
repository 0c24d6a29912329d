"""The page of examples worked by hand is what the software does."""

import re
from pathlib import Path

import pytest

from services.shared.ranking import bundle
from services.shared.ranking.ranking import ranking_csv
from tests.unit.ranking.test_bundle import folder_of

PAGE = Path(bundle.__file__).with_name("EXAMPLES.md")
_BLOCK = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> dict[str, dict[str, bytes]]:
    """Heading → file name → content."""
    sections = PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
    return {
        section.partition("\n")[0]: {name: content.encode() for name, content in _BLOCK.findall(section)}
        for section in sections
    }


def test_the_page_has_examples_and_each_is_a_whole_bundle() -> None:
    found = examples()
    assert len(found) >= 8
    for heading, files in found.items():
        assert {"rules.toml", "candidates.csv", "ranking.csv"} <= files.keys(), heading


@pytest.mark.parametrize("heading", examples())
def test_an_example_comes_out_as_worked_by_hand(heading: str, tmp_path: Path) -> None:
    files = examples()[heading]
    expected = files.pop("ranking.csv")
    folder = folder_of(tmp_path / "bundle", files)
    assert ranking_csv(bundle.rank_bundle(bundle.read_bundle(folder))).decode() == expected.decode()
