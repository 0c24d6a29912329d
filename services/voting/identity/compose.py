"""Builds what identifies people from the settings; a missing part is one sentence at start."""

from __future__ import annotations

from services.shared.errors import ConfigurationError
from services.shared.settings import read_secret
from services.voting.identity import RoundKeys
from services.voting.identity.people import People
from services.voting.identity.phones import parse_regions
from services.voting.identity.verification import ThreeFactor, Verifier
from services.voting.settings import VotingSettings

_PROVIDERS = frozenset({"three_factor", "oidc"})


def identity_providers(settings: VotingSettings) -> frozenset[str]:
    """Who verifies IDs here; raises ConfigurationError for a name nobody knows."""
    names = frozenset(part.strip() for part in settings.identity_provider.split(",") if part.strip())
    if not names <= _PROVIDERS:
        raise ConfigurationError("IDENTITY_PROVIDER: known are three_factor and oidc, separated by a comma")
    return names


def make_people(settings: VotingSettings, keys: RoundKeys) -> People:
    """Raises ConfigurationError."""
    regions = parse_regions(settings.phone_regions)
    if regions is None:
        raise ConfigurationError("VOTING_PHONE_REGIONS: name regions by ISO 3166, separated by commas, such as CN,HK")
    return People(keys, _verifier(settings), regions, settings.voter_age_min_years)


def _verifier(settings: VotingSettings) -> Verifier | None:
    if "three_factor" not in identity_providers(settings):
        return None
    for field in ("identity_url", "identity_key_id", "identity_secret_file"):
        if not getattr(settings, field):
            raise ConfigurationError(f"VOTING_{field.upper()} is not set, but IDENTITY_PROVIDER needs it")
    return ThreeFactor(
        settings.identity_url,
        settings.identity_key_id,
        read_secret(settings.identity_secret_file, "VOTING_IDENTITY_SECRET_FILE"),
        timeout_s=settings.identity_timeout_s,
        retries=settings.identity_retries,
        parallel_max=settings.identity_parallel_max,
    )
