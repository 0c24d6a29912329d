"""What an application is, as it stands and as it was handed in. Pure; used by every module of this subject."""

from datetime import datetime
from typing import Any

import msgspec

from services.registry.applications.stages import Stage


class Application(msgspec.Struct, frozen=True):
    """An application with what its call, unit and channel say of it; `content` is the form as `content.Content`."""

    application: str
    call: str
    call_title: str
    call_state: str
    timezone: str
    application_opens_at: datetime | None
    application_closes_at: datetime | None
    unit: str
    unit_name: str
    unit_kind: str
    unit_credit_code: str
    channel: str
    channel_name: str
    channel_kind: str
    title: str
    level: str
    category: str
    stage: Stage
    version: int
    on_behalf: bool
    created_by: str
    created_at: datetime
    changed_at: datetime
    submitted_at: datetime | None
    content: dict[str, Any]


class Version(msgspec.Struct, frozen=True):
    """What was handed in once; `content` is `snapshot.snapshot`'s, `sha256` in hex over its canonical JSON."""

    application: str
    number: int
    sha256: str
    version_code: str
    submitted_at: datetime
    submitted_by: str
    content: dict[str, Any]


class ApplicationFile(msgspec.Struct, frozen=True):
    """A file of an application that was not taken out again; `credit_code` names the partner it is about."""

    attachment: str
    purpose: str
    file_name: str
    media_type: str
    bytes: int
    sha256: str
    uploaded_by: str
    uploaded_at: datetime
    credit_code: str
    version_code: str


class Consent(msgspec.Struct, frozen=True):
    """The newest asking of one partner, without its token."""

    credit_code: str
    partner_name: str
    asked_at: datetime
    expires_at: datetime
    answer: str | None
    answered_at: datetime | None
    name: str | None
    position: str | None
