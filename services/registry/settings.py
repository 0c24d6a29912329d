"""What an operator may tune in the registry; read from the environment by `services.shared.settings.load`."""

from __future__ import annotations

from typing import Annotated

from services.shared.settings import Doc, ServiceSettings


class RegistrySettings(ServiceSettings, frozen=True, kw_only=True):
    """Settings of the registry; names of variables are `REGISTRY_` and the field's name."""

    port: Annotated[int, Doc(description="Port the service listens on.", ge=1, le=65535)] = 8002
    metrics_port: Annotated[int, Doc(description="Internal port of /metrics, whole over the workers.", ge=1)] = 9101
    staff_signing_key_file: Annotated[str, Doc(description="File with the private key of staff tokens (PEM).")]
    body_max_bytes: Annotated[
        int, Doc(description="Request bodies longer than this are refused; a round's files travel in one.", ge=1024)
    ] = 25 << 20
    session_hours: Annotated[float, Doc(description="A session ends after so many hours.", gt=0)] = 12.0
    session_idle_minutes: Annotated[float, Doc(description="A session unused so long has ended.", gt=0)] = 60.0
    hashing_parallel: Annotated[
        int, Doc(description="Passwords hashed at once per worker; each takes 64 MiB.", ge=1, le=16)
    ] = 2
    hashing_waiting_max: Annotated[
        int, Doc(description="Sign-ins that may wait for a hash before others are told to come back.", ge=1)
    ] = 32
    attempts_free: Annotated[
        int, Doc(description="Failed sign-ins per name and address before pauses begin.", ge=1)
    ] = 5
    attempt_pause_max_s: Annotated[
        float, Doc(description="Longest pause between tries; short, so that nobody is locked out.", gt=0)
    ] = 30.0
    identity_provider: Annotated[
        str, Doc(description="Who verifies national IDs; while empty, rounds that ask for verified IDs are refused.")
    ] = ""
    consent_version: Annotated[str, Doc(description="Version of the privacy notice that voters agree to.")] = "1"
    attachments_folder: Annotated[
        str, Doc(description="Folder of handed-in files; empty: `attachments` in the platform's home (PINGXUAN_HOME).")
    ] = ""
    attachment_max_bytes: Annotated[
        int, Doc(description="A handed-in file may be so large; the proxy's own limit is 25 MB.", ge=1024)
    ] = 20 << 20
    attachments_parallel: Annotated[
        int, Doc(description="Files checked and stored at once per worker.", ge=1, le=16)
    ] = 2
    virus_scan: Annotated[
        str,
        Doc(description="Scanner of files: `unix:/path` or `tcp:host:port` of clamd, or a command with {file}."),
    ] = ""
    virus_scan_timeout_s: Annotated[
        float, Doc(description="A scanner that takes longer has failed, and the file is not taken.", gt=0)
    ] = 60.0
    documents_parallel: Annotated[
        int, Doc(description="Documents (PDF, DOCX, XLSX) made at once per worker.", ge=1, le=16)
    ] = 2
    consent_link_days: Annotated[
        float, Doc(description="A link that asks a partner for its consent lives so many days.", gt=0)
    ] = 14.0
    objection_reply_working_days: Annotated[
        int, Doc(description="An objection is to be answered within so many working days.", ge=1, le=60)
    ] = 5
    objections_free: Annotated[
        int, Doc(description="Objections from an address within an hour before each costs more work.", ge=1)
    ] = 3
    office_name: Annotated[str, Doc(description="The office in whose name lists go out.")] = "评选工作办公室"
    voting_url: Annotated[
        str, Doc(description="Where voting answers, for the daily report; empty: at the public origin.")
    ] = ""
    scoring_url: Annotated[
        str, Doc(description="Where scoring answers, for the daily report; empty: at the public origin.")
    ] = ""
    platform_mode: Annotated[str, Doc(description="`embedded` where `pingxuan up` runs everything.")] = ""
    totp_required: Annotated[
        str,
        Doc(
            description="Second factor of administrators and auditors: `yes`, `no`; empty: yes unless embedded.",
            pattern="^(yes|no)?$",
        ),
    ] = ""
    registrations_free: Annotated[
        int, Doc(description="Units an address may register a day before each needs a proof of work.", ge=1)
    ] = 5

    @property
    def needs_totp(self) -> bool:
        """Whether accounts that decide or see everything may not sign in with a password alone."""
        return self.totp_required == "yes" or (not self.totp_required and self.platform_mode != "embedded")
