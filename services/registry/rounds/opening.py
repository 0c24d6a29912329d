"""Opening a round at once (`--open-for`): the windows in rules.toml are rewritten before freezing.

The author's comments and layout stay. Invariant: the frozen digest is that of the rewritten text. Called by
`freezing.py`; pure but for the time it is given.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import tomlkit
from tomlkit.items import InlineTable, Table

from services.shared.ranking.model import Rules

OPEN_FOR_MAX_S = 366 * 24 * 3600
_REWRITTEN = ("voting", "scoring")


def open_at_once(rules_text: str, zone: tzinfo, now: datetime, open_for_s: int) -> str:
    """rules.toml with voting and scoring open for `open_for_s` seconds from the first whole second after now + 1 s."""
    opens = whole_second_after(now).astimezone(zone)
    closes = opens + timedelta(seconds=open_for_s)
    document = tomlkit.parse(rules_text.removeprefix("\ufeff"))
    windows = document.setdefault("windows", tomlkit.table())
    for name in _REWRITTEN:
        _set(windows, name, opens, closes)
    return tomlkit.dumps(document)


def zone_of(rules: Rules) -> tzinfo:
    """The round's time zone, else the offset in which its author wrote the voting window, else UTC."""
    if rules.round.timezone:
        return ZoneInfo(rules.round.timezone)
    voting = rules.windows.voting
    return (voting.opens.tzinfo if voting else None) or UTC


def whole_second_after(now: datetime) -> datetime:
    """A second from now, rounded up to a whole one."""
    later = now + timedelta(seconds=1)
    return later if later.microsecond == 0 else later.replace(microsecond=0) + timedelta(seconds=1)


def _set(windows: Table, name: str, opens: datetime, closes: datetime) -> None:
    """Put the window in the form the author used: an inline table, or `[windows.voting]`."""
    known = windows.get(name)
    if isinstance(known, Table | InlineTable):
        known["opens"], known["closes"] = opens, closes
        return
    window = tomlkit.inline_table()
    window.update({"opens": opens, "closes": closes})
    windows[name] = window
