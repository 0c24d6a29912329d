"""The code about itself: sizes, docstrings, nothing left for later, nothing of the machine it was written on."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from services.voting.reasons import Reason
from tests.tidy.tree import PROJECT, parsed, tracked

OURS = [path for path in tracked("services/*.py") if "templates" not in path.parts]
ALL_PYTHON = tracked("*.py")
LINES_MAX, FUNCTION_LINES_MAX = 400, 60

# CONTRACT's refusals of the voting service: each is one word everywhere.
CONTRACT_WORDS = {
    "unknown_round": 404, "bad_phone": 422, "challenge_failed": 403, "too_many_codes": 429, "codes_paused": 503,
    "wrong_code": 403, "code_expired": 403, "bad_national_id": 422, "consent_missing": 422, "identity_conflict": 409,
    "too_many_attempts": 429, "no_ballot": 404, "no_longer_shown": 410, "unknown_receipt": 404, "overloaded": 503,
    "bad_token": 401, "ballot_id_reused": 409, "window_closed": 403, "bad_ballot": 422, "already_voted": 409,
    "challenge_required": 428,
}  # fmt: skip
# In the order in which the first that applies is told.
BALLOT_WORDS = [
    "overloaded", "bad_token", "ballot_id_reused", "window_closed", "bad_ballot", "already_voted",
    "challenge_required", "too_many_attempts",
]  # fmt: skip


def test_no_file_eats_everything() -> None:
    sizes = {str(path): len((PROJECT / path).read_text(encoding="utf-8").splitlines()) for path in OURS}
    assert {path: lines for path, lines in sizes.items() if lines > LINES_MAX} == {}


def test_functions_are_small() -> None:
    long = {
        f"{path}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in OURS
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    }
    assert long == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path) for path in ALL_PYTHON
        if (tree := parsed(path)).body and not ast.get_docstring(tree)
    ]  # fmt: skip
    assert silent == []


def test_a_modules_docstring_stays_short() -> None:
    long = [str(path) for path in OURS if len((ast.get_docstring(parsed(path)) or "").splitlines()) > 9]
    assert long == []


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
    texts = [path for path in tracked("*") if path.suffix in (".py", ".md", ".toml", ".sql", ".lua", ".js", ".html")]
    found = [
        f"{path}:{number}"
        for path in texts
        for number, line in enumerate((PROJECT / path).read_text(encoding="utf-8").splitlines(), 1)
        if marks.search(line)
    ]
    assert found == []


def test_nothing_names_the_machine_it_was_written_on() -> None:
    """No registry's host, no index address and no path of a machine: the project builds anywhere."""
    forbidden = [
        "/" + "work/", "/home/" + "[a-z]+/", "/root/" + r"[\w.]", "pypi" + r"\.org", "pythonhosted" + r"\.org",
        "(?<!no-emit-)index" + "-url", "extra-" + "index", "registry" + r"\.npmjs", "--find" + "-links",
    ]  # fmt: skip
    pattern = re.compile("|".join(forbidden))
    found = []
    for path in tracked("*"):
        try:
            lines = (PROJECT / path).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [f"{path}:{number}: {line.strip()[:100]}" for number, line in enumerate(lines, 1)
                  if pattern.search(line)]  # fmt: skip
    assert found == []


def test_every_locked_dependency_has_a_hash() -> None:
    text = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[A-Za-z0-9])", "\n" + text)
    pinned = [entry for entry in entries if re.match(r"\n?[A-Za-z0-9][\w.\-\[\]]*==", entry)]
    assert len(pinned) > 20
    assert [entry.split("\n")[0] for entry in pinned if "--hash=sha256:" not in entry] == []


def test_every_locked_npm_package_has_a_hash_and_no_address() -> None:
    """Where a package comes from is the machine's business; what it is, is not."""
    for path in tracked("*package-lock.json"):
        packages = json.loads((PROJECT / path).read_text(encoding="utf-8"))["packages"]
        assert len(packages) > 1
        assert [name for name, entry in packages.items() if "resolved" in entry] == []
        assert [name for name, entry in packages.items() if name and "integrity" not in entry] == []


@pytest.mark.parametrize("word", sorted(CONTRACT_WORDS))
def test_every_refusal_of_the_contract_is_a_reason(word: str) -> None:
    known = {reason.value: reason.status for reason in Reason}
    assert known[word] == CONTRACT_WORDS[word]


def test_the_ballots_reasons_stand_in_the_order_of_their_precedence() -> None:
    assert [reason.value for reason in Reason][: len(BALLOT_WORDS)] == BALLOT_WORDS


def test_services_have_the_same_file_names() -> None:
    """Knowing one service is knowing three."""
    for service in ("registry", "voting", "scoring"):
        folder = PROJECT / "services" / service
        for name in ("__main__.py", "app.py", "settings.py", "metrics.py", "reasons.py", "audit.py", "migrations"):
            assert (folder / name).exists(), f"{service}/{name}"


def test_migrations_are_numbered_and_explain_their_tables() -> None:
    for path in tracked("services/*/migrations/*.sql"):
        assert re.fullmatch(r"\d{4}_[a-z0-9_]+\.sql", path.name)
        lines = (PROJECT / path).read_text(encoding="utf-8").splitlines()
        bare = [
            line for number, line in enumerate(lines)
            if line.startswith("CREATE TABLE") and not _is_explained(lines, number)
        ]  # fmt: skip
        assert bare == [], path


def _is_explained(lines: list[str], number: int) -> bool:
    return number > 0 and lines[number - 1].startswith("--")


def test_ci_runs_the_documented_commands() -> None:
    path = PROJECT / ".ci" / "run"
    assert path.exists()
    text = path.read_text(encoding="utf-8")
    assert "make lint" in text
    assert "make test" in text


def test_shared_modules_are_named_by_concern() -> None:
    assert [str(path) for path in OURS if re.search(r"(util|common|helper|misc)s?\.py$", path.name)] == []


def test_paths_are_read_with_their_encoding() -> None:
    """A text file read without one depends on the machine's locale."""
    found = []
    for path in OURS:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                named = node.func.attr in ("read_text", "write_text")
                given = node.args or any(keyword.arg == "encoding" for keyword in node.keywords)
                if named and not given:
                    found.append(f"{path}:{node.lineno}")
    assert found == []


def test_the_tree_has_no_stray_files() -> None:
    stray = [str(path) for path in tracked("*") if path.suffix in (".orig", ".rej", ".bak", ".log", ".pyc")]
    assert stray == []
    assert not any(Path(path).name == ".env" for path in tracked("*"))
