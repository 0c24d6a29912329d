"""When an application may be written, handed in, taken back. Pure; windows are half-open, the receive time decides."""

from datetime import datetime

from services.registry.applications.records import Application
from services.registry.applications.stages import STAGE_NAMES, Stage
from services.registry.applications.store import Call
from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal

EDITABLE = (Stage.DRAFT, Stage.COMPLETION)
WITHDRAWABLE = (
    Stage.DRAFT,
    Stage.SUBMITTED,
    Stage.RECOMMENDED,
    Stage.NOT_RECOMMENDED,
    Stage.IN_REVIEW,
    Stage.COMPLETION,
    Stage.ACCEPTED,
)
# A stamped scan follows the submission whose code it bears.
SCANNABLE = (Stage.SUBMITTED, Stage.RECOMMENDED, Stage.IN_REVIEW, Stage.COMPLETION)


def require_window(call: Call | Application, now: datetime) -> None:
    """Raises Refusal `not_open` or `deadline_passed` outside the call's application window."""
    state = call.state if isinstance(call, Call) else call.call_state
    opens, closes = call.application_opens_at, call.application_closes_at
    if state in ("draft", "withdrawn") or opens is None or closes is None:
        raise Refusal(RegistryReason.NOT_OPEN, "This call does not take applications.")
    if now < opens:
        raise Refusal(RegistryReason.NOT_OPEN, f"Applications open at {opens.isoformat()}.", opens_at=opens)
    if now >= closes or state == "frozen":
        raise Refusal(RegistryReason.DEADLINE_PASSED, f"Applications closed at {closes.isoformat()}.", closed_at=closes)


def require_stage(application: Application, *allowed: Stage) -> None:
    """Raises Refusal `wrong_stage`."""
    if application.stage not in allowed:
        raise Refusal(
            RegistryReason.WRONG_STAGE,
            f"The application stands at {application.stage}; this is possible at: {', '.join(allowed)}.",
            stage=application.stage,
        )


def require_editable(application: Application, now: datetime) -> None:
    """A draft inside the window; a completion (补正) whenever the office asked for one."""
    require_stage(application, *EDITABLE)
    if application.stage is Stage.DRAFT:
        require_window(application, now)


def require_version(application: Application, version: int | None) -> None:
    """Raises Refusal `stale_version` where the writer has not read what it would overwrite."""
    if version is not None and version != application.version:
        raise Refusal(
            RegistryReason.STALE_VERSION,
            f"It is at version {application.version} and you read {version}; load it again and repeat your change.",
            version=application.version,
        )


def is_open(application: Application, now: datetime) -> bool:
    opens, closes = application.application_opens_at, application.application_closes_at
    return application.call_state == "announced" and bool(opens and closes and opens <= now < closes)


def unit_actions(application: Application, now: datetime) -> list[str]:
    """What whoever may change the application can do with it now, as the last parts of the calls' paths."""
    actions: list[str] = []
    editable = application.stage is Stage.COMPLETION or (application.stage is Stage.DRAFT and is_open(application, now))
    if editable:
        actions += ["edit", "attach", "consents", "submit"]
    if application.stage in SCANNABLE:
        actions.append("stamped_form")
    if application.stage is Stage.SUBMITTED and is_open(application, now):
        actions.append("reopen-requests")
    if application.stage in WITHDRAWABLE:
        actions.append("withdraw")
    return actions


def stage_name(application: Application) -> str:
    return STAGE_NAMES[application.stage]
