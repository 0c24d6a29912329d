"""Who somebody is, without knowing who: canonical numbers, keyed hashes, and whoever verifies them."""

from services.voting.identity.phones import canonical_phone
from services.voting.identity.round_keys import RoundKeys, address_key, keyed

__all__ = ["RoundKeys", "address_key", "canonical_phone", "keyed"]
