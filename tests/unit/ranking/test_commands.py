"""`pingxuan rank` and `pingxuan rules check` as people call them."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli.rank import rank
from services.cli.rules import rules
from tests.unit.ranking.builders import HEAD
from tests.unit.ranking.test_bundle import FILES, RESULT, folder_of


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "bundle", FILES)


def test_rank_prints_the_ranking_and_nothing_else(bundle: Path) -> None:
    result = CliRunner().invoke(rank, [str(bundle)])
    assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, RESULT.encode(), "")


def test_rank_writes_to_a_file(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "ranking.csv"
    result = CliRunner().invoke(rank, [str(bundle), "--out", str(out)])
    assert (result.exit_code, result.output, out.read_text()) == (0, "", RESULT)


def test_rank_explains_itself_on_request(bundle: Path) -> None:
    (bundle / "scores.csv").unlink()
    result = CliRunner().invoke(rank, [str(bundle), "--explain"])
    assert "note: experts have a weight and no scores are given" in result.stderr


def test_rank_writes_nothing_on_bad_input(bundle: Path, tmp_path: Path) -> None:
    (bundle / "votes.csv").write_text("candidate,votes\nA,many\n")
    out = tmp_path / "ranking.csv"
    out.write_text("before")
    result = CliRunner().invoke(rank, [str(bundle), "--out", str(out)])
    assert (result.exit_code, result.stdout, out.read_text()) == (2, "", "before")
    assert result.stderr == 'Error: votes.csv:2: votes "many" must be a whole number of 0 or more\n'
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "ranking.csv"]


def test_rank_says_where_it_cannot_write(bundle: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(rank, [str(bundle), "--out", str(tmp_path / "no" / "ranking.csv")])
    assert result.exit_code == 2
    assert "cannot be written (No such file or directory)" in result.stderr


def test_rules_check_prints_digest_warnings_and_weights(bundle: Path) -> None:
    result = CliRunner().invoke(rules, ["check", str(bundle / "rules.toml"), "--bundle", str(bundle)])
    assert result.exit_code == 0
    assert "digest  " in result.stdout
    assert "warning: votes count and there is no voting window" in result.stdout
    # votes ∓2.5… parts: A 5 and 45, B 10 and 30; centred ∓2.5, ±7.5, totals ±5: −2.5·5/25 = −0.5 and 1.5
    assert result.stdout.endswith(
        "nominal weights\n"
        "  votes           0.5000\n  experts         0.5000\n  criterion:idea  0.5000\n"
        "effective weights (share of the final score's standard deviation)\n"
        "  votes           -0.5000\n  experts         1.5000\n  criterion:idea  1.5000\n"
    )


def test_rules_check_refuses_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(HEAD + "[combination]\nvotes = 0.3\n")
    result = CliRunner().invoke(rules, ["check", str(path)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{path}:5: votes must be a decimal in quotes" in result.stderr


def test_rules_check_says_when_there_is_no_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(rules, ["check", str(tmp_path / "rules.toml")])
    assert result.exit_code == 2
    assert "cannot be read (No such file or directory)" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["check"]])
def test_every_help_has_an_example(arguments: list[str]) -> None:
    assert "Example:\n    pingxuan r" in CliRunner().invoke(rules, [*arguments, "--help"]).output
    assert "Example:\n    pingxuan rank" in CliRunner().invoke(rank, ["--help"]).output


def test_the_commands_are_light_to_import_and_the_core_is_standard_library_only() -> None:
    code = (
        "import sys; import services.cli.rank, services.cli.rules; "
        "assert not any(name.startswith('services.shared') for name in sys.modules); "
        "from services.shared.ranking import bundle, explanation; "
        "foreign = {name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names - {'services', 'click'}; "
        "print(sorted(name for name in foreign if not name.startswith('_')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
