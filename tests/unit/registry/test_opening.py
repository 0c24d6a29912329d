"""Opening a round at once: two windows change, the author's text stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from services.registry.rounds.opening import open_at_once, whole_second_after, zone_of
from services.shared.ranking.model import Window
from services.shared.ranking.rules import parse_rules

NOW = datetime(2020, 10, 22, 1, 0, 0, 250_000, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
HEAD = '# 说明\nschema = 1 # 版本\n\n[round]\nid = "r"\ntimezone = "Asia/Shanghai"\n\n'
TAIL = '\n# 权重\n[combination]\nvotes = "1"\n'
LINE = "opens = 2020-01-01T09:00:00+08:00"
INLINE = f"[windows]\nvoting = {{ {LINE}, closes = 2020-01-02T09:00:00+08:00 }} # 投票\n"
TABLE = f"[windows.voting]\n{LINE}\ncloses = 2020-01-02T09:00:00+08:00\n"


@pytest.mark.parametrize("windows", [INLINE, TABLE, ""], ids=["inline", "table", "none"])
def test_voting_and_scoring_open_a_second_after_freezing(windows: str) -> None:
    text = open_at_once(HEAD + windows + TAIL, ZONE, NOW, 600)
    rules = parse_rules(text.encode())
    opens = datetime(2020, 10, 22, 9, 0, 2, tzinfo=timezone(timedelta(hours=8)))
    assert rules.windows.voting == rules.windows.scoring == Window(opens, opens + timedelta(seconds=600))
    assert "2020-10-22T09:00:02+08:00" in text
    for kept in ("# 说明", "schema = 1 # 版本", "# 权重"):
        assert kept in text


def test_the_opening_is_a_whole_second_at_least_one_away() -> None:
    assert whole_second_after(NOW) - NOW == timedelta(seconds=1.75)
    whole = NOW.replace(microsecond=0)
    assert whole_second_after(whole) - whole == timedelta(seconds=1)


def test_a_round_without_time_zone_keeps_its_authors_offset() -> None:
    rules = parse_rules((HEAD.replace('timezone = "Asia/Shanghai"\n', "") + INLINE + TAIL).encode())
    assert NOW.astimezone(zone_of(rules)).utcoffset() == timedelta(hours=8)
    bare = parse_rules((HEAD.replace('timezone = "Asia/Shanghai"\n', "") + TAIL).encode())
    assert zone_of(bare) is UTC
