"""The guide uses the services of the integration tests: the same fixtures, real PostgreSQL and Valkey."""

from tests.guide.town import town, town_clock
from tests.integration.conftest import databases, operator_redis, servers
from tests.integration.registry.conftest import registry
from tests.integration.scoring.conftest import scoring
from tests.integration.voting.conftest import clock, settings_changes, voting

__all__ = [
    "clock", "databases", "operator_redis", "registry", "scoring", "servers", "settings_changes", "town",
    "town_clock", "voting",
]  # fmt: skip
