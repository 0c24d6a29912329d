"""The documents tell of today's tree: links lead somewhere, files named in them exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tidy.tree import PROJECT, tracked

DOCUMENTS = tracked("*.md")
_LINK = re.compile(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
_NAMED = re.compile(r"`([A-Za-z0-9_./-]+/[A-Za-z0-9_.-]+\.(?:py|md|toml|sql|lua|csv|json|html|yaml|yml|js))`")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def text_of(path: Path) -> str:
    """The prose: what stands in a fenced block is an example."""
    return _FENCE.sub("", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_relative_link_leads_to_a_file(document: Path) -> None:
    targets = [link.partition("#")[0] for link in _LINK.findall(text_of(PROJECT / document))]
    local = [target for target in targets if target and not re.match(r"[a-z]+:", target)]
    folder = (PROJECT / document).parent
    assert [target for target in local if not (folder / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_file_that_is_named_exists(document: Path) -> None:
    """`services/voting/ledger.py` means that file; a shorter path means one that ends so."""
    endings = tuple(f"/{path}" for path in map(str, tracked("*")))
    missing = [
        name for name in _NAMED.findall(text_of(PROJECT / document))
        if not _made_by_a_run(name) and not any(path.endswith(f"/{name}") for path in endings)
    ]  # fmt: skip
    assert missing == []


def _made_by_a_run(name: str) -> bool:
    """Names of what a platform or a measurement writes."""
    return name.startswith(("loadtests/results/", "results/", ".pingxuan/", "run/", "logs/", "keys/"))


def test_a_heading_that_is_linked_exists() -> None:
    broken = []
    for document in DOCUMENTS:
        for link in _LINK.findall(text_of(PROJECT / document)):
            target, _, anchor = link.partition("#")
            if not anchor or re.match(r"[a-z]+:", link):
                continue
            path = (PROJECT / document).parent / target if target else PROJECT / document
            if path.suffix == ".md" and path.exists() and anchor not in _anchors(path):
                broken.append(f"{document}: {link}")
    assert broken == []


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+\s+(.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}
