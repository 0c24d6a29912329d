"""Numbers of other regions vote only where the operator allows them, in any spelling."""

from __future__ import annotations

import pytest

from services.voting.identity import canonical_phone
from services.voting.identity.phones import parse_regions


@pytest.mark.parametrize("spelling", ["+852 5123 4567", "00852-51234567", "＋８５２ ５１２３４５６７"])
def test_another_region_by_permission(spelling: str) -> None:
    assert canonical_phone(spelling) is None
    assert canonical_phone(spelling, {"CN", "HK"}) == "+85251234567"


def test_a_number_without_a_country_is_a_mainland_one() -> None:
    assert canonical_phone("51234567", {"CN", "HK"}) is None
    assert canonical_phone("13912345678", {"CN", "HK"}) == "+8613912345678"


def test_the_mainland_too_is_a_permission() -> None:
    assert canonical_phone("13912345678", {"HK"}) is None


def test_a_fixed_line_is_no_mobile_anywhere() -> None:
    assert canonical_phone("+852 2123 4567", {"CN", "HK"}) is None


def test_regions_are_read_from_a_setting() -> None:
    assert parse_regions(" cn, HK ") == frozenset({"CN", "HK"})
    assert parse_regions("") is None
    assert parse_regions("CN,XX") is None
