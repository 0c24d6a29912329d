"""How many applications stand at which stage, for the dashboards; runs in the elected loop of one worker."""

from services.registry import metrics
from services.registry.applications import store
from services.registry.applications.stages import Stage
from services.shared.postgres import Pool


async def count_once(pool: Pool) -> int:
    """Set the gauge of every stage, those with none included."""
    counts = await store.counts_by_stage(pool)
    for stage in Stage:
        metrics.applications.labels(str(stage)).set(counts.get(stage, 0))
    return 0
