"""What our modules and style sheets may use: the oldest browsers we promise are iOS 13 and Chromium 86 (WeChat's).

They stop at the first word that they do not know, so one new operator would take the whole page from them. No tool for
builds stands between what we write and what they read.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tidy.tree import PROJECT, tracked

MODULES, SHEETS = tracked("services/*.js"), tracked("services/*.css")
# What it is → how it is seen. Safari 13.0 and Chromium 86 lack at least one half of each.
NEW_SYNTAX = {
    "optional chaining": r"\?\.(?!\d)",
    "nullish coalescing": r"\?\?",
    "logical assignment": r"(?:\|\||&&)=",
    "top-level await": r"(?m)^(?:export\s+)?(?:(?:const|let)\b[^\n]*=\s*)?await\b",
    "private members": r"(?m)(?:^\s+|this\.)#[a-z]",
    "class fields": r"(?ms)^(?:export\s+)?class\b[^\n]*\{\n(?:(?!^\}).)*?^  (?:static )?\w+ = [^=]",
    "numeric separators": r"\b\d+_\d",
    "bigint": r"\b\d+n\b|\bBigInt\b",
    "regular expressions that look behind": r"\(\?<[=!]",
    "replaceAll, at, flat of newer arrays": r"\.(?:replaceAll|at|findLast|toSorted|toReversed)\(",
    "newer globals": r"\b(?:structuredClone|Object\.hasOwn|Object\.groupBy|Promise\.any|crypto\.randomUUID|WeakRef)\b",
    "timeouts of signals": r"AbortSignal\.(?:timeout|any)",
    "dialogs": r"\.showModal\(|\.showPopover\(",
}
NEW_STYLE = {
    "newer selectors": r":(?:has|is|where)\(",
    "nesting": r"(?m)^\s*&",
    "containers, layers, scopes": r"@(?:container|layer|scope|property)\b",
    "aspect-ratio": r"(?<!-)aspect-ratio\s*:",
    "clamp": r"\bclamp\(",
    "inset": r"(?m)[{;]\s*inset\s*:",
    "newer units": r"\d(?:dvh|svh|lvh|dvw|svw|cqw|cqi|rlh|lh)\b",
    "newer colours": r"\b(?:color-mix|oklch|oklab|lch|lab)\(",
    "newer text": r"text-wrap\s*:|hyphenate-character",
}
COMMENTS = re.compile(r"/\*.*?\*/|(?m:^\s*//[^\n]*$)", re.DOTALL)
REGULAR = re.compile(r"/(?![/*])(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/")
STRINGS = re.compile(r'"(?:[^"\\\n]|\\.)*"')


def _without_comments(path: Path) -> str:
    return COMMENTS.sub("", (PROJECT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_modules_use_no_newer_syntax(module: Path) -> None:
    text = STRINGS.sub('""', _without_comments(module))
    assert [what for what, pattern in NEW_SYNTAX.items() if re.search(pattern, text)] == []


@pytest.mark.parametrize("sheet", SHEETS, ids=str)
def test_style_sheets_use_no_newer_words(sheet: Path) -> None:
    text = _without_comments(sheet)
    assert [what for what, pattern in NEW_STYLE.items() if re.search(pattern, text)] == []


@pytest.mark.parametrize("sheet", SHEETS, ids=str)
def test_rows_of_boxes_keep_their_distance_without_gap(sheet: Path) -> None:
    """`gap` works in grids; in rows of boxes (flex) iOS has it since 14.5 only."""
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", _without_comments(sheet))
    flexible = {name.strip() for names, body in rules if re.search(r"display:\s*(?:inline-)?flex", body)
                for name in names.split(",")}  # fmt: skip
    wrong = [
        names.strip() for names, body in rules
        if re.search(r"(?:^|[;\s])(?:row-|column-)?gap:", body) and not re.search(r"display:\s*(?:inline-)?grid", body)
        and (flexible & {name.strip() for name in names.split(",")} or re.search(r"display:\s*(?:inline-)?flex", body))
    ]  # fmt: skip
    assert wrong == []


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_modules_hold_no_text_for_people(module: Path) -> None:
    """Words come from the page, in its language; patterns may know what people type."""
    text = REGULAR.sub("", _without_comments(module))
    assert re.findall(r"[\u4e00-\u9fff]+", text) == []


def test_templates_have_no_script_and_no_style_of_their_own() -> None:
    """The content security policy would stop them."""
    found = [
        f"{path}: {match.group(0)[:60]}"
        for path in tracked("services/*/templates/*.html")
        for match in re.finditer(
            r"<style|\sstyle=\"|\son[a-z]+=\"|<script(?![^>]*\bsrc=)(?![^>]*application/(?:ld\+)?json)",
            (PROJECT / path).read_text(encoding="utf-8"),
        )
    ]
    assert found == []
