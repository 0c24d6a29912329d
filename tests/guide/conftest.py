"""The guide uses the voting service of the integration tests: the same fixtures, real PostgreSQL and Valkey."""

from tests.integration.conftest import databases, operator_redis, servers
from tests.integration.voting.conftest import clock, settings_changes, voting

__all__ = ["clock", "databases", "operator_redis", "servers", "settings_changes", "voting"]
