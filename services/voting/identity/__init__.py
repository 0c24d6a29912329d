"""Who somebody is, without knowing who: canonical numbers, keyed hashes, and whoever verifies them."""

from services.voting.identity.phones import canonical_phone
from services.voting.identity.round_keys import RoundKeys, keyed

__all__ = ["RoundKeys", "canonical_phone", "keyed"]
