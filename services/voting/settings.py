"""What an operator of the voting service may tune."""

from __future__ import annotations

from typing import Annotated

import msgspec

from services.shared.settings import Doc, ServiceSettings


class VotingSettings(ServiceSettings, frozen=True, kw_only=True):
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
    code_resend_s: Annotated[int, Doc(description="Pause between two codes for one number and address.")] = 60
    codes_per_hour: Annotated[int, Doc(description="Codes per number and address in an hour.", ge=1)] = 5
    codes_per_minute_max: Annotated[
        int, Doc(description="Codes per minute over everybody; beyond it: 503 codes_paused (spend breaker).", ge=1)
    ] = 60_000
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

    sms_provider: Annotated[str, Doc(description="`outbox` (embedded platform only).")] = ""
    platform_mode: Annotated[str, Doc(description="`embedded` where `pingxuan up` runs everything.")] = ""


class Limits(msgspec.Struct, frozen=True):
    """The limits as the turnstile takes them: events per minute."""

    voter: int
    device: int
    address: int
    verified: int
