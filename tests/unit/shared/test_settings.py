"""Settings: what is missing or wrong is one sentence, and the nearer source wins."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from services.shared.errors import ConfigurationError
from services.shared.settings import ServiceSettings, environment, load, read_secret
from services.voting.settings import VotingSettings

NEEDED = {
    "PORT": "8001", "METRICS_PORT": "9102", "DATABASE_URL": "postgresql://x", "REDIS_URL": "redis://x",
    "WEB_SECRET_FILE": "w", "STAFF_PUBLIC_KEY_FILE": "s",
}  # fmt: skip


def test_the_services_own_name_wins_over_the_general_one() -> None:
    found = load(ServiceSettings, "voting", NEEDED | {"VOTING_POOL_MAX": "4", "POOL_MAX": "9"})
    assert found.pool_max == 4
    assert load(ServiceSettings, "scoring", NEEDED | {"VOTING_POOL_MAX": "4", "POOL_MAX": "9"}).pool_max == 9


def test_a_missing_setting_is_named_with_what_to_do() -> None:
    without = {name: value for name, value in NEEDED.items() if name != "REDIS_URL"}
    with pytest.raises(ConfigurationError, match=r"^VOTING_REDIS_URL is not set; start with `pingxuan up`"):
        load(ServiceSettings, "voting", without)


def test_an_empty_value_is_as_good_as_none() -> None:
    assert load(ServiceSettings, "voting", NEEDED | {"POOL_MAX": ""}).pool_max == 8
    with pytest.raises(ConfigurationError, match="VOTING_REDIS_URL is not set"):
        load(ServiceSettings, "voting", NEEDED | {"REDIS_URL": ""})


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "eighty"), ("PORT", "0"), ("PORT", "70000"), ("WORKERS", "-1"), ("STATEMENT_TIMEOUT_S", "0"),
     ("POOL_MAX", "1.5"), ("BODY_MAX_BYTES", "10")],
)  # fmt: skip
def test_a_wrong_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(ServiceSettings, "voting", NEEDED | {f"VOTING_{name}": value})
    assert str(error.value).startswith(f"VOTING_{name}: expected ")
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigurationError, match=rf"^{name}: expected "):
        load(ServiceSettings, "voting", NEEDED | {name: value})


def test_settings_are_frozen() -> None:
    found = load(ServiceSettings, "voting", NEEDED)
    with pytest.raises(AttributeError):
        found.pool_max = 3  # type: ignore[misc]


def test_sources_by_rising_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The running platform's file, then `.env`, then the process environment."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "platform.env").write_text("PX_A=platform\nPX_B=platform\nPX_C=platform\n")
    (tmp_path / ".env").write_text("PX_B=file\nPX_C=file\nPX_D='$HOME'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PINGXUAN_HOME", "home")
    monkeypatch.setenv("PX_C", "process")
    found = environment()
    assert [found[f"PX_{letter}"] for letter in "ABCD"] == ["platform", "file", "process", "$HOME"]


def test_a_home_that_is_named_replaces_the_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "platform.env").write_text("PX_A=named\n")
    monkeypatch.setenv("PINGXUAN_HOME", str(tmp_path / "nowhere"))
    assert environment(tmp_path)["PX_A"] == "named"


@pytest.mark.parametrize("content", [b"", b"   \n", b"short"])
def test_a_secret_too_short_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"^MASTER: .* too short for a secret"):
        read_secret(str(path), "MASTER")


def test_a_secret_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read_secret(str(tmp_path / "none"), "MASTER")


def test_every_settings_name_carries_its_unit() -> None:
    """A number of seconds, bytes or tries says so in its name."""
    units = r"(_s|_ms|_max|_min|_bytes|_per_minute|_per_hour|_allowance|_retries|_cost|port|workers|shards)$"
    numbers = [
        each.name for each in msgspec.structs.fields(VotingSettings)
        if isinstance(each.default, int | float) and not isinstance(each.default, bool)
    ]  # fmt: skip
    assert [name for name in numbers if not re.search(units, name)] == []
