"""Small frozen rounds for tests, built as the registry would send them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from services.shared.messages import CandidateCard, RoundMessage


def rules_text(
    round_id: str = "small",
    *,
    opens: datetime | None = None,
    closes: datetime | None = None,
    ballot: str = "choices_min = 1\nchoices_max = 3\n",
    grace_s: int = 1,
    more: str = "",
) -> str:
    """rules.toml of a round without experts whose vote is open now unless told otherwise."""
    start = opens or datetime.now(UTC) - timedelta(minutes=5)
    end = closes or datetime.now(UTC) + timedelta(minutes=30)
    return (
        f'schema = 1\n[round]\nid = "{round_id}"\ntitle = "小评选"\ntimezone = "Asia/Shanghai"\n'
        f"[windows]\nvoting = {{ opens = {start.isoformat(timespec='seconds')}, "
        f"closes = {end.isoformat(timespec='seconds')} }}\ncommit_grace_s = {grace_s}\n"
        f'[ballot]\n{ballot}[combination]\nvotes = "1"\nexperts = "0"\n{more}'
    )


def round_message(rules: str, round_id: str = "small", count: int = 6, version: int = 1) -> RoundMessage:
    """A round with candidates c1 … cN in two levels, three channels and two units."""
    return RoundMessage(
        round=round_id,
        version=version,
        digest=sha256(rules.encode()).hexdigest(),
        rules=rules,
        frozen_at=datetime.now(UTC),
        consent="2026-11",
        candidates=[
            CandidateCard(
                candidate=f"c{k}",
                number=k,
                title=f"项目{k}",
                unit=f"单位{k % 2}",
                channel=f"区{k % 3}",
                category="culture",
                level="major" if k % 2 else "key",
            )
            for k in range(1, count + 1)
        ],
    )
