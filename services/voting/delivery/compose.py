"""Builds the courier and its providers from the settings; a missing part is one sentence at start."""

from __future__ import annotations

from services.shared.errors import ConfigurationError
from services.shared.postgres import Pool
from services.shared.settings import read_secret
from services.voting.delivery.aliyun import Aliyun, AliyunAccount
from services.voting.delivery.courier import Courier
from services.voting.delivery.outbox import OutboxProvider
from services.voting.delivery.provider import Provider
from services.voting.delivery.tencent import Tencent, TencentAccount
from services.voting.settings import VotingSettings

_KNOWN = "aliyun, tencent, or both separated by a comma; outbox on the embedded platform"


def make_courier(settings: VotingSettings, pool: Pool, outbox_secret: bytes) -> Courier:
    """The courier with the providers that `sms_provider` names, in its order; raises ConfigurationError."""
    names = [part.strip() for part in settings.sms_provider.split(",") if part.strip()]
    if not names or len(names) != len(set(names)):
        raise ConfigurationError(f"SMS_PROVIDER must name a provider, each once; known are: {_KNOWN}")
    return Courier(
        pool,
        [_provider(name, settings, pool, outbox_secret) for name in names],
        timeout_s=settings.delivery_timeout_s,
        wait_s=settings.delivery_wait_s,
        under_way_max=settings.deliveries_under_way_max,
        failures_max=settings.delivery_failures_max,
        open_s=settings.delivery_breaker_s,
    )


def outbox_of(courier: Courier) -> OutboxProvider | None:
    """The embedded platform's provider, where it is in use."""
    provider = courier.providers.get("outbox")
    return provider if isinstance(provider, OutboxProvider) else None


def report_secret(settings: VotingSettings) -> bytes | None:
    """The password of delivery reports; None where none are taken."""
    if not settings.delivery_report_secret_file:
        return None
    return read_secret(settings.delivery_report_secret_file, "VOTING_DELIVERY_REPORT_SECRET_FILE")


def _provider(name: str, settings: VotingSettings, pool: Pool, outbox_secret: bytes) -> Provider:
    if name == "outbox":
        if settings.platform_mode != "embedded":
            raise ConfigurationError(
                "SMS_PROVIDER=outbox shows codes to everybody: it is refused outside `pingxuan up`"
            )
        return OutboxProvider(pool, outbox_secret)
    if name == "aliyun":
        _require(settings, "aliyun_key_id", "aliyun_secret_file", "aliyun_sign_name", "aliyun_sms_template")
        return Aliyun(_aliyun(settings), settings.delivery_timeout_s)
    if name == "tencent":
        _require(
            settings, "tencent_secret_id", "tencent_secret_file", "tencent_sms_app", "tencent_sign_name",
            "tencent_sms_template",
        )  # fmt: skip
        return Tencent(_tencent(settings), settings.delivery_timeout_s)
    raise ConfigurationError(f"SMS_PROVIDER names no provider; known are: {_KNOWN}")


def _require(settings: VotingSettings, *fields: str) -> None:
    for field in fields:
        if not getattr(settings, field):
            raise ConfigurationError(f"VOTING_{field.upper()} is not set, but SMS_PROVIDER needs it")


def _aliyun(settings: VotingSettings) -> AliyunAccount:
    return AliyunAccount(
        key_id=settings.aliyun_key_id,
        secret=read_secret(settings.aliyun_secret_file, "VOTING_ALIYUN_SECRET_FILE"),
        sms_url=settings.aliyun_sms_url.rstrip("/"),
        sign_name=settings.aliyun_sign_name,
        sms_template=settings.aliyun_sms_template,
        voice_url=settings.aliyun_voice_url.rstrip("/"),
        voice_template=settings.aliyun_voice_template,
    )


def _tencent(settings: VotingSettings) -> TencentAccount:
    return TencentAccount(
        secret_id=settings.tencent_secret_id,
        secret=read_secret(settings.tencent_secret_file, "VOTING_TENCENT_SECRET_FILE"),
        region=settings.tencent_region,
        sms_url=settings.tencent_sms_url.rstrip("/"),
        sms_app=settings.tencent_sms_app,
        sign_name=settings.tencent_sign_name,
        sms_template=settings.tencent_sms_template,
        voice_url=settings.tencent_voice_url.rstrip("/"),
        voice_app=settings.tencent_voice_app,
        voice_template=settings.tencent_voice_template,
    )
