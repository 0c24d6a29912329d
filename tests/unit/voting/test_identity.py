"""The same person in every spelling is one person, and what is no mobile number is nobody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.shared.errors import ConfigurationError
from services.shared.keys import SealBroken
from services.voting.identity import RoundKeys, canonical_phone, keyed


@pytest.mark.parametrize(
    "spelling",
    [
        "13912345678",
        "139 1234 5678",
        "139-1234-5678",
        "+8613912345678",
        "+86 139 1234 5678",
        "008613912345678",
        "0086 139-1234-5678",
        "8613912345678",
        "１３９１２３４５６７８",
        "＋86 13912345678",
        " 139\u200b12345678 ",
        "(+86)13912345678",
    ],
)
def test_every_spelling_of_a_phone_is_one_person(spelling: str) -> None:
    assert canonical_phone(spelling) == "+8613912345678"


@pytest.mark.parametrize(
    "text", ["", "1391234567", "139123456789", "12912345678", "010-62345678", "+14155550123", "abc", "٠١٢٣", "139" * 40]
)
def test_what_is_no_mainland_mobile_is_nobody(text: str) -> None:
    assert canonical_phone(text) is None


def test_a_number_range_newer_than_the_library_is_accepted() -> None:
    assert canonical_phone("19912345678") == "+8619912345678"
    assert canonical_phone("16000000001") == "+8616000000001"


def test_keyed_hashes_differ_by_key_label_and_value() -> None:
    first = keyed(b"k" * 32, "phone", "+8613912345678")
    assert len(first) == 16
    assert first != keyed(b"j" * 32, "phone", "+8613912345678")
    assert first != keyed(b"k" * 32, "code", "+8613912345678")
    assert first != keyed(b"k" * 32, "phone", "+8613912345679")


def test_a_rounds_key_is_made_once_and_found_by_every_process(tmp_path: Path) -> None:
    first, second = RoundKeys(str(tmp_path), b"m" * 32), RoundKeys(str(tmp_path), b"m" * 32)
    assert first.get("r") is None
    assert first.create("r") == second.create("r") == second.get("r")
    assert first.create("other") != first.create("r")


def test_the_key_file_is_useless_without_the_master_secret(tmp_path: Path) -> None:
    key = RoundKeys(str(tmp_path), b"m" * 32).create("r")
    assert key not in (tmp_path / "r.key").read_bytes()
    with pytest.raises(SealBroken):
        RoundKeys(str(tmp_path), b"n" * 32).get("r")


def test_a_key_file_of_another_round_does_not_open(tmp_path: Path) -> None:
    keys = RoundKeys(str(tmp_path), b"m" * 32)
    keys.create("r")
    os.rename(tmp_path / "r.key", tmp_path / "s.key")
    with pytest.raises(SealBroken):
        RoundKeys(str(tmp_path), b"m" * 32).get("s")


def test_a_destroyed_key_is_gone_with_the_master_secret_in_hand(tmp_path: Path) -> None:
    keys = RoundKeys(str(tmp_path), b"m" * 32)
    before = keys.create("r")
    assert keys.destroy("r")
    assert keys.get("r") is None
    assert not keys.destroy("r")
    assert list(tmp_path.iterdir()) == []
    assert RoundKeys(str(tmp_path), b"m" * 32).create("r") != before


def test_without_the_folder_the_service_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="VOTING_ROUND_KEYS_DIR"):
        RoundKeys(str(tmp_path / "missing"), b"m" * 32)
