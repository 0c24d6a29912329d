"""What of an announced call may change, row by row of the table in `calls/changes.py`."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from services.registry.calls.changes import forbidden_changes
from services.registry.calls.drafts import CallDraft, read_call
from services.registry.calls.editing import BadField, edited

OPENS = datetime.fromisoformat("2020-09-08T00:00:00+08:00")
RULES = """schema = 1
[round]
id = "kunming"
[windows]
application = { opens = 2020-09-08T00:00:00+08:00, closes = 2020-10-01T00:00:00+08:00 } # 申报
recommendation = { opens = 2020-10-09T09:00:00+08:00, closes = 2020-10-12T18:00:00+08:00 }
voting = { opens = 2020-10-22T09:00:00+08:00, closes = 2020-10-30T12:00:00+08:00 }
[quotas]
district = 4
[combination]
votes = "1"
"""
CHANNELS = '[[channels]]\nid = "wuhua"\nname = "五华区"\nkind = "district"\n'
EARLY, APPLYING, RECOMMENDING, REVIEWING = (
    datetime.fromisoformat(f"2020-{at}T12:00:00+08:00") for at in ("09-01", "09-20", "10-10", "10-15")
)


def draft(old: str = "", new: str = "", channels: str = CHANNELS) -> CallDraft:
    read, problems = read_call({"rules.toml": RULES.replace(old, new) if old else RULES, "channels.toml": channels})
    assert read is not None, problems
    return read


@pytest.mark.parametrize(
    ("old", "new", "allowed", "refused"),
    [
        ("2020-10-01T00", "2020-10-03T00", (EARLY, APPLYING), (RECOMMENDING, REVIEWING)),
        ("2020-09-08T00", "2020-09-09T00", (EARLY,), (APPLYING, REVIEWING)),
        ("2020-10-12T18", "2020-10-16T18", (EARLY, RECOMMENDING), (REVIEWING,)),
        ("district = 4", "district = 5", (EARLY, APPLYING, RECOMMENDING), (REVIEWING,)),
        ("district = 4", "district = 3", (EARLY, APPLYING), (RECOMMENDING, REVIEWING)),
        ("district = 4", "district = 4\nzone = 3", (EARLY,), (RECOMMENDING,)),
        ("[quotas]", "review_working_days = 9\n[quotas]", (EARLY, RECOMMENDING), (REVIEWING,)),
        ('votes = "1"', 'votes = "0.5"\nexperts = "0.5"', (EARLY, REVIEWING), ()),
        ("2020-10-30T12", "2020-10-31T12", (REVIEWING,), ()),
    ],
)
def test_each_part_may_change_until_it_was_relied_on(
    old: str, new: str, allowed: tuple[datetime, ...], refused: tuple[datetime, ...]
) -> None:
    for now in allowed:
        assert forbidden_changes(draft(), draft(old, new), now, ()) == [], now
    for now in refused:
        assert len(forbidden_changes(draft(), draft(old, new), now, ())) == 1, now


def test_a_channel_stays_once_somebody_applied_through_it() -> None:
    other = CHANNELS.replace("wuhua", "panlong")
    assert forbidden_changes(draft(), draft(channels=other), APPLYING, ()) == []
    assert len(forbidden_changes(draft(), draft(channels=other), APPLYING, {"wuhua"})) == 1
    zone = CHANNELS.replace("district", "zone")
    assert forbidden_changes(draft(), draft(channels=zone), APPLYING, {"wuhua"}) == []
    assert len(forbidden_changes(draft(), draft(channels=zone), RECOMMENDING, ())) == 1


def test_the_form_keeps_what_it_does_not_name_comments_included() -> None:
    later = (OPENS + timedelta(days=30)).isoformat()
    text = edited(RULES, {"windows": {"application": {"closes": later}}, "quotas": {"zone": 3}})
    assert "# 申报" in text
    assert "2020-10-08T00:00:00+08:00" in text
    assert "district = 4\nzone = 3" in text
    assert "zone" not in edited(text, {"quotas": {"zone": None}})
    with pytest.raises(BadField, match=r"windows\.voting\.opens"):
        edited(RULES, {"windows": {"voting": {"opens": "bald"}}})
    with pytest.raises(BadField, match="decimals are texts"):
        edited(RULES, {"combination": {"votes": 0.3}})
