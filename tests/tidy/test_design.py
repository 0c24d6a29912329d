"""The design system is one: every class that a page uses is in a style sheet, and every class of a sheet is used.

`/design` (services/shared/templates/design.html) shows every component of app.css, desk.css and results.css.
"""

from __future__ import annotations

import re

from tests.tidy.tree import PROJECT, tracked

TEMPLATES = tracked("services/*/templates/*.html")
MODULES = tracked("services/*.js")
SHEETS = tracked("services/*.css")
DESIGN = [
    f"services/shared/templates/{name}.html"
    for name in ("design", "design_desk", "design_results", "charts", "desk", "base")
]
# States that a script or the browser's reader sets on something that is shown, and the frame around every page.
NOT_SHOWN = {"has-sheet", "large", "skip-link", "visually-hidden", "print-only", "no-print"}
_COMMENT = re.compile(r"/\*.*?\*/|\{#.*?#\}", re.DOTALL)
_JINJA = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_EXPRESSION = "\u00a7"


def _text(path: object) -> str:
    return _COMMENT.sub("", (PROJECT / str(path)).read_text(encoding="utf-8"))


def _defined(sheet: object) -> set[str]:
    """Classes of the selectors of a style sheet."""
    selectors = re.findall(r"([^{}]+)\{", _text(sheet))
    return {name for selector in selectors if "@keyframes" not in selector
            for name in re.findall(r"\.([a-zA-Z][\w-]*)", re.sub(r"\[[^\]]*\]|\"[^\"]*\"", "", selector))}  # fmt: skip


def _all_defined() -> set[str]:
    return {name for sheet in SHEETS for name in _defined(sheet)}


def _class_attributes(text: str) -> set[str]:
    """Words of `class="…"`; an expression inside a word is kept as a mark, both branches of an `if` are taken."""
    words: set[str] = set()
    for value in re.findall(r'class="((?:[^"{]|\{\{.*?\}\}|\{%.*?%\})*)"', text):
        plain = re.sub(r"\{%.*?%\}", " ", value)
        quoted = {word for expression in re.findall(r"\{\{(.*?)\}\}", plain)
                  for text_in in re.findall(r'"([^"]*)"', expression) for word in text_in.split()
                  if "if" in expression and "==" not in expression}  # fmt: skip
        words |= {word for word in re.sub(r"\{\{.*?\}\}", _EXPRESSION, plain).split() if word != _EXPRESSION} | quoted
    return words


def test_every_class_of_a_page_is_in_a_style_sheet() -> None:
    defined, unknown = _all_defined(), []
    for path in TEMPLATES:
        for word in _class_attributes(_text(path)):
            pattern = re.compile(re.escape(word).replace(_EXPRESSION, r"[\w-]*"))
            if not any(pattern.fullmatch(name) for name in defined):
                unknown.append(f"{path}: {word}")
    assert sorted(unknown) == []


def test_every_class_that_a_script_sets_is_in_a_style_sheet() -> None:
    defined, unknown = _all_defined(), []
    for path in MODULES:
        text = _text(path)
        values = re.findall(r'className = "([^"]*)"', text) + re.findall(
            r'classList\.(?:add|remove|toggle)\("([^"]*)"', text
        )
        unknown += [f"{path}: {word}" for value in values for word in value.split() if word not in defined]
    assert sorted(unknown) == []


def test_every_class_of_a_style_sheet_is_used() -> None:
    """By a page, a script, or a component that Python builds."""
    sources = [*TEMPLATES, *MODULES, *tracked("services/*.py"), *tracked("deploy/Caddyfile")]
    used = set(re.findall(r"[a-zA-Z][\w-]*", " ".join(_text(path) for path in sources)))
    # `badge--{{ … }}` uses every class that begins so.
    begun = {match for path in TEMPLATES for match in re.findall(r"([a-zA-Z][\w-]*--)\{[{%]", _text(path))}
    begun |= {match for path in MODULES for match in re.findall(r"([a-zA-Z][\w-]*--)\$\{", _text(path))}
    unused = [name for name in _all_defined() if name not in used and not name.startswith(tuple(begun))]
    assert sorted(unused) == []


def test_every_component_is_shown_on_the_design_page() -> None:
    """Every class of app.css; of what desk.css and results.css add every component."""
    shown = set(re.findall(r"[a-zA-Z][\w-]*", " ".join(_text(path) for path in DESIGN)))
    general = _defined("services/shared/static/app.css")
    more = {re.split("__|--", name)[0] for sheet in ("desk", "results")
            for name in _defined(f"services/shared/static/{sheet}.css") - general}  # fmt: skip
    assert sorted(((general - shown) | (more - shown)) - NOT_SHOWN) == []
