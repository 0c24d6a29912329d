"""Builds what identifies people from the settings; a missing part is one sentence at start."""

from __future__ import annotations

from services.shared.errors import ConfigurationError
from services.shared.settings import read_secret
from services.voting.identity import RoundKeys
from services.voting.identity.oidc import Oidc, OidcClient
from services.voting.identity.people import People
from services.voting.identity.phones import parse_regions
from services.voting.identity.verification import ThreeFactor, Verifier
from services.voting.identity.wechat import Wechat, WechatAccount
from services.voting.settings import VotingSettings

# Where people come back to (`page_returns.py`).
OIDC_RETURN = "/sign-in/oidc"
WECHAT_RETURN = "/sign-in/wechat"
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
    return People(keys, _verifier(settings), regions, settings.voter_age_years_min)


def _verifier(settings: VotingSettings) -> Verifier | None:
    if "three_factor" not in identity_providers(settings):
        return None
    _require(settings, "IDENTITY_PROVIDER", "identity_url", "identity_key_id", "identity_secret_file")
    return ThreeFactor(
        settings.identity_url,
        settings.identity_key_id,
        read_secret(settings.identity_secret_file, "VOTING_IDENTITY_SECRET_FILE"),
        timeout_s=settings.identity_timeout_s,
        retries=settings.identity_retries,
        parallel_max=settings.identity_parallel_max,
    )


def make_wechat(settings: VotingSettings) -> Wechat | None:
    """None where no official account is set; raises ConfigurationError."""
    if not settings.wechat_app_id:
        return None
    _require(settings, "WECHAT_APP_ID", "wechat_secret_file", "wechat_mini_app_id", "wechat_mini_secret_file")
    account = WechatAccount(
        settings.wechat_url.rstrip("/"),
        settings.wechat_app_id,
        read_secret(settings.wechat_secret_file, "VOTING_WECHAT_SECRET_FILE").decode(),
        settings.wechat_mini_app_id,
        read_secret(settings.wechat_mini_secret_file, "VOTING_WECHAT_MINI_SECRET_FILE").decode(),
        settings.wechat_authorize_url,
        settings.public_origin + WECHAT_RETURN,
    )
    return Wechat(account, settings.wechat_timeout_s)


def make_oidc(settings: VotingSettings, key: bytes) -> Oidc | None:
    """None where no issuer is set; raises ConfigurationError."""
    if not settings.oidc_issuer:
        if "oidc" in identity_providers(settings):
            raise ConfigurationError("VOTING_OIDC_ISSUER is not set, but IDENTITY_PROVIDER needs it")
        return None
    _require(settings, "OIDC_ISSUER", "oidc_client_id", "oidc_client_secret_file")
    client = OidcClient(
        issuer=settings.oidc_issuer.rstrip("/"),
        client_id=settings.oidc_client_id,
        secret=read_secret(settings.oidc_client_secret_file, "VOTING_OIDC_CLIENT_SECRET_FILE").decode(),
        scope=settings.oidc_scope,
        redirect_uri=settings.public_origin + OIDC_RETURN,
        claim_phone=settings.oidc_claim_phone,
        claim_phone_verified=settings.oidc_claim_phone_verified,
        claim_national_id=settings.oidc_claim_national_id,
    )
    return Oidc(client, key, settings.oidc_timeout_s)


def _require(settings: VotingSettings, because: str, *fields: str) -> None:
    for field in fields:
        if not getattr(settings, field):
            raise ConfigurationError(f"VOTING_{field.upper()} is not set, but {because} needs it")
