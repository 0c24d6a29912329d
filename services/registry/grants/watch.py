"""What the office must not forget, as gauges: overdue inspections, findings and acceptances, uncovered over-spends.

Run by the one elected worker, so that the sum over workers is the truth.
"""

from datetime import datetime

from services.registry import metrics
from services.registry.grants import reading
from services.shared.postgres import Pool


async def watch_once(pool: Pool, now: datetime) -> int:
    """Step of the elected loop; returns 0, as there is never more to do at once."""
    for what, count in (await reading.overdue(pool, now)).items():
        metrics.projects_overdue.labels(what.value).set(count)
    return 0
