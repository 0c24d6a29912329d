"""When an objection comes in time, and what must stand in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest

from services.registry.objections.intake import parse_receipt
from services.registry.objections.rules import (
    Filing,
    Ground,
    Medium,
    ObjectionKind,
    OfflineFiling,
    notice_for,
    require_filing,
    require_offline,
)
from services.shared.errors import Refusal

OPENS = datetime(2020, 11, 3, tzinfo=UTC)
CLOSES = OPENS + timedelta(days=7)
SECOND = timedelta(seconds=1)


@dataclass
class Notice:
    version: int
    objections_open_at: datetime
    objections_close_at: datetime
    touched: list[str] | None = None


FIRST = Notice(1, OPENS, CLOSES)
LATER = Notice(2, CLOSES + timedelta(days=1), CLOSES + timedelta(days=8), ["c1"])


def test_the_window_is_half_open() -> None:
    assert notice_for([FIRST], "c1", OPENS) == 1
    assert notice_for([FIRST], "c1", CLOSES - SECOND) == 1
    with pytest.raises(Refusal, match="not_yet_open"):
        notice_for([FIRST], "c1", OPENS - SECOND)
    with pytest.raises(Refusal, match="deadline_passed"):
        notice_for([FIRST], "c1", CLOSES)


def test_a_changed_list_opens_the_window_again_for_what_changed() -> None:
    in_second = LATER.objections_open_at
    assert notice_for([LATER, FIRST], "c1", in_second) == 2
    assert notice_for([LATER, FIRST], None, in_second) == 2
    with pytest.raises(Refusal, match="deadline_passed"):
        notice_for([LATER, FIRST], "c2", in_second)


def test_the_first_window_runs_on_for_the_rest() -> None:
    early = Notice(2, OPENS + timedelta(days=2), CLOSES + timedelta(days=2), ["c1"])
    assert notice_for([early, FIRST], "c2", OPENS + timedelta(days=3)) == 1
    assert notice_for([early, FIRST], "c1", OPENS + timedelta(days=3)) == 2


def test_without_a_notice_there_is_nothing_to_object_to() -> None:
    with pytest.raises(Refusal, match="unknown_notice"):
        notice_for([], None, OPENS)


@pytest.mark.parametrize(
    ("kind", "text", "name", "phone"),
    [
        ("lead", "材料里的数据不真实", "王一", "13800000000"),
        ("named", "太短", "王一", "13800000000"),
        ("named", "材料里的数据不真实\0", "王一", "13800000000"),
        ("named", "材料里的数据不真实，见附件", "  ", "13800000000"),
        ("sealed", "材料里的数据不真实，见附件", "王一", "没有电话"),
    ],
)
def test_who_objects_says_what_and_leaves_a_name_and_a_phone(kind: str, text: str, name: str, phone: str) -> None:
    with pytest.raises(Refusal, match="bad_objection"):
        require_filing(Filing(ObjectionKind(kind), Ground.UNTRUE, text, name, phone))


def test_a_lead_has_no_name_and_what_has_a_name_is_no_lead() -> None:
    text, day = "材料里的数据不真实，见附件", date(2020, 11, 3)
    lead = OfflineFiling(ObjectionKind.LEAD, Medium.LETTER, Ground.UNTRUE, text, day)
    assert require_offline(lead, day) is None
    named = OfflineFiling(ObjectionKind.LEAD, Medium.LETTER, Ground.UNTRUE, text, day, name="王一")
    with pytest.raises(Refusal, match="bad_objection"):
        require_offline(named, day)
    with pytest.raises(Refusal, match="bad_objection"):
        require_offline(lead, day - timedelta(days=1))


def test_receipts_are_read_as_people_write_them() -> None:
    assert parse_receipt("0o1il-00000-00000-00000") == "00111" + "0" * 15
    assert parse_receipt("not a receipt") is None
