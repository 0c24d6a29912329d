"""What an operator of the voting service may tune."""

from __future__ import annotations

from typing import Annotated

import msgspec

from services.shared.settings import Doc, ServiceSettings


class DeliverySettings(ServiceSettings, frozen=True, kw_only=True):
    """How codes reach phones; a provider needs its own part only when `sms_provider` names it."""

    sms_provider: Annotated[
        str,
        Doc(description="`aliyun`, `tencent`, or both in order of preference (`aliyun,tencent`); `outbox`: embedded."),
    ] = ""
    delivery_timeout_s: Annotated[float, Doc(description="A provider that takes longer has failed.", gt=0)] = 5.0
    delivery_wait_s: Annotated[float, Doc(description="The phone waits so long for the provider, at most.", ge=0)] = 2.0
    deliveries_under_way_max: Annotated[int, Doc(description="Codes on their way per process, at most.", ge=1)] = 2000
    delivery_failures_max: Annotated[int, Doc(description="Failures in a row before a provider rests.", ge=1)] = 5
    delivery_breaker_s: Annotated[float, Doc(description="How long a failing provider rests.", gt=0)] = 30.0
    hotline_lookups_per_hour: Annotated[
        int, Doc(description="Numbers that one account of the hotline may look up within an hour.", ge=1)
    ] = 60
    delivery_report_secret_file: Annotated[
        str, Doc(description="File with the password of delivery reports (basic or bearer); empty: none are taken.")
    ] = ""
    aliyun_key_id: Annotated[str, Doc(description="AccessKey id at Alibaba Cloud.")] = ""
    aliyun_secret_file: Annotated[str, Doc(description="File with the AccessKey secret.")] = ""
    aliyun_sms_url: Annotated[str, Doc(description="Endpoint of Dysmsapi.")] = "https://dysmsapi.aliyuncs.com"
    aliyun_sign_name: Annotated[str, Doc(description="Approved signature of the messages.")] = ""
    aliyun_sms_template: Annotated[str, Doc(description="Approved template with the variable `code`.")] = ""
    aliyun_voice_url: Annotated[str, Doc(description="Endpoint of Dyvmsapi.")] = "https://dyvmsapi.aliyuncs.com"
    aliyun_voice_template: Annotated[str, Doc(description="Approved spoken template; empty: no voice.")] = ""
    tencent_secret_id: Annotated[str, Doc(description="SecretId at Tencent Cloud.")] = ""
    tencent_secret_file: Annotated[str, Doc(description="File with the SecretKey.")] = ""
    tencent_region: Annotated[str, Doc(description="Region of the calls.")] = "ap-guangzhou"
    tencent_sms_url: Annotated[str, Doc(description="Endpoint of SMS.")] = "https://sms.tencentcloudapi.com"
    tencent_sms_app: Annotated[str, Doc(description="SmsSdkAppId.")] = ""
    tencent_sign_name: Annotated[str, Doc(description="Approved signature of the messages.")] = ""
    tencent_sms_template: Annotated[str, Doc(description="Approved template with one variable, the code.")] = ""
    tencent_voice_url: Annotated[str, Doc(description="Endpoint of voice messages.")] = (
        "https://vms.tencentcloudapi.com"
    )
    tencent_voice_app: Annotated[str, Doc(description="VoiceSdkAppid.")] = ""
    tencent_voice_template: Annotated[str, Doc(description="Approved spoken template; empty: no voice.")] = ""


class IdentitySettings(DeliverySettings, frozen=True, kw_only=True):
    """Who may vote and who verifies it."""

    phone_regions: Annotated[
        str,
        Doc(
            description="Regions whose mobile numbers may vote, ISO 3166, comma-separated (`CN,HK,MO`): a rule of the"
            " whole platform, told on every round's page; decide it before a round is frozen."
        ),
    ] = "CN"
    voter_age_years_min: Annotated[int, Doc(description="Voters are at least so old.", ge=0, le=99)] = 16
    identity_provider: Annotated[
        str, Doc(description="Who verifies IDs: `three_factor`, `oidc`, or both (`three_factor,oidc`); empty: nobody.")
    ] = ""
    identity_url: Annotated[str, Doc(description="Address of the three-factor API.")] = ""
    identity_key_id: Annotated[str, Doc(description="Name of our key at the three-factor API.")] = ""
    identity_secret_file: Annotated[str, Doc(description="File with that key.")] = ""
    identity_timeout_s: Annotated[float, Doc(description="One verification, repeats included.", gt=0)] = 8.0
    identity_retries: Annotated[int, Doc(description="How often an unanswered question is repeated.", ge=0)] = 2
    identity_parallel_max: Annotated[int, Doc(description="Questions under way per process, at most.", ge=1)] = 32
    oidc_issuer: Annotated[str, Doc(description="OpenID issuer; its discovery document is read.")] = ""
    oidc_client_id: Annotated[
        str, Doc(description="Our client id there; the redirect address to register is `PUBLIC_ORIGIN/sign-in/oidc`.")
    ] = ""
    oidc_client_secret_file: Annotated[str, Doc(description="File with our client secret.")] = ""
    oidc_scope: Annotated[str, Doc(description="Scopes asked for.")] = "openid phone"
    oidc_timeout_s: Annotated[float, Doc(description="One call to the issuer.", gt=0)] = 5.0
    oidc_claim_phone: Annotated[str, Doc(description="Claim with the verified phone.")] = "phone_number"
    oidc_claim_phone_verified: Annotated[
        str, Doc(description="Claim that must be true for the phone to count; empty: the issuer verifies all phones.")
    ] = "phone_number_verified"
    oidc_claim_national_id: Annotated[str, Doc(description="Claim with the verified ID.")] = "national_id"
    wechat_url: Annotated[str, Doc(description="WeChat's API.")] = "https://api.weixin.qq.com"
    wechat_authorize_url: Annotated[
        str, Doc(description="Where WeChat asks a person to agree; people return to `PUBLIC_ORIGIN/sign-in/wechat`.")
    ] = "https://open.weixin.qq.com/connect/oauth2/authorize"
    wechat_app_id: Annotated[str, Doc(description="Official account whose web authorisation is used; empty: no.")] = ""
    wechat_secret_file: Annotated[str, Doc(description="File with its secret.")] = ""
    wechat_mini_app_id: Annotated[str, Doc(description="Mini program whose verified phone is used.")] = ""
    wechat_mini_secret_file: Annotated[str, Doc(description="File with its secret.")] = ""
    wechat_timeout_s: Annotated[float, Doc(description="One call to WeChat.", gt=0)] = 5.0


class VotingSettings(IdentitySettings, frozen=True, kw_only=True):
    """Read from VOTING_…, else from the same name without the prefix."""

    master_secret_file: Annotated[str, Doc(description="File with the master secret that wraps every other key.")]
    round_keys_dir: Annotated[
        str, Doc(description="Folder of the rounds' identity keys, outside the database and its backups.")
    ]
    tally_key_file: Annotated[str, Doc(description="File with the key that seals tallies on their way to scoring.")]

    batch_max: Annotated[int, Doc(description="Ballots in one batch, at most.", ge=1, le=1000)] = 128
    batches_in_flight_max: Annotated[int, Doc(description="Batches under way at once per process.", ge=1, le=8)] = 2
    queue_max: Annotated[int, Doc(description="Ballots waiting per process; beyond it: 503 overloaded.", ge=1)] = 4096
    ballot_body_max_bytes: Annotated[int, Doc(description="A longer ballot is refused.", ge=512)] = 8192
    body_timeout_s: Annotated[float, Doc(description="A body that arrives more slowly is refused.", gt=0)] = 10.0
    ballot_timeout_s: Annotated[float, Doc(description="A ballot waits this long, then 503.", gt=0)] = 20.0
    ledger_timeout_s: Annotated[float, Doc(description="One batch may take this long in PostgreSQL.", gt=0)] = 5.0
    ledger_retries: Annotated[int, Doc(description="How often an unanswered batch runs again.", ge=0)] = 3

    turnstile_timeout_ms: Annotated[int, Doc(description="Valkey's time for one batch; then the breaker opens.")] = 50
    turnstile_shards: Annotated[
        int,
        Doc(
            description="Parts of a round's keys in Valkey, asked in parallel: as many as a cluster has primaries. The"
            " same for all workers; a change forgets hints and allowances once.",
            ge=1,
            le=64,
        ),
    ] = 1
    breaker_open_ms: Annotated[int, Doc(description="How long in-process limits stand in for Valkey.", ge=10)] = 1000
    voter_attempts_per_minute: Annotated[int, Doc(description="Ballot requests per verified person.", ge=1)] = 20
    device_attempts_per_minute: Annotated[int, Doc(description="Per device, before a challenge is asked.", ge=1)] = 30
    address_attempts_per_minute: Annotated[
        int, Doc(description="Per address before a challenge is asked; grows with the verified voters seen.", ge=1)
    ] = 60
    verified_allowance: Annotated[
        int, Doc(description="Further attempts that each verified voter adds to an address's allowance.", ge=0)
    ] = 5

    token_lifetime_s: Annotated[int, Doc(description="How long a voter's token is good.", ge=60)] = 3600
    choices_shown_s: Annotated[int, Doc(description="How long the phone that voted may see its choices.")] = 1800
    code_lifetime_s: Annotated[int, Doc(description="How long a code is good.", ge=30)] = 300
    code_resend_s: Annotated[int, Doc(description="Pause between two codes for one number and device.")] = 60
    codes_free_per_number_max: Annotated[
        int, Doc(description="Unproven codes per number, route and hour before challenges get harder.", ge=1)
    ] = 3
    codes_free_per_prefix_max: Annotated[
        int, Doc(description="Unproven codes per ten thousand neighbours in ten minutes before the same.", ge=1)
    ] = 20
    code_failures_free_max: Annotated[
        int, Doc(description="Wrong codes per number and hour before the same.", ge=1)
    ] = 10
    challenge_level_max: Annotated[
        int, Doc(description="Each level doubles the work; at most so many.", ge=0, le=8)
    ] = 6
    codes_per_minute_max: Annotated[
        int, Doc(description="Codes per minute over everybody; beyond it: 503 codes_paused (spend breaker).", ge=1)
    ] = 60_000
    codes_per_day_max: Annotated[
        int, Doc(description="Codes per day over everybody; beyond it: 503 codes_paused (spend breaker).", ge=1)
    ] = 5_000_000
    wrong_codes_max: Annotated[int, Doc(description="Wrong tries per request.", ge=1, le=20)] = 5
    station_ballots_per_hour: Annotated[
        int, Doc(description="People whom one helper may sign in at stations within an hour.", ge=1)
    ] = 40
    station_token_lifetime_s: Annotated[
        int, Doc(description="How long somebody signed in at a station may take to vote.", ge=60)
    ] = 600
    challenge_lifetime_s: Annotated[int, Doc(description="How long a challenge may be solved.", ge=30)] = 600
    challenge_cost: Annotated[int, Doc(description="PBKDF2 iterations per try of a challenge.", ge=1)] = 1000
    challenge_tries_max: Annotated[int, Doc(description="Tries a challenge takes at most.", ge=2)] = 400

    pictures_under_way_max: Annotated[
        int, Doc(description="Pictures of receipts drawn at once per process; beyond it phones show their own.", ge=1)
    ] = 4

    platform_mode: Annotated[str, Doc(description="`embedded` where `pingxuan up` runs everything.")] = ""


class Limits(msgspec.Struct, frozen=True):
    """The limits as the turnstile takes them: events per minute."""

    voter: int
    device: int
    address: int
    verified: int
