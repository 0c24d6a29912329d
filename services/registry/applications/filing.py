"""Files of an application: proofs, consents and stamped scans, taken in and taken out.

A stamped scan must name the version code of what was handed in last. Called by `api.py`.
"""

from datetime import datetime

from services.registry.applications import access, store
from services.registry.applications.checking import PROOFS
from services.registry.applications.consents import partner_name
from services.registry.applications.drafting import held, require_writable
from services.registry.applications.records import Application
from services.registry.applications.rules import EDITABLE, SCANNABLE, require_stage
from services.registry.attachments import Attachment, Purpose, Upload, attach
from services.registry.attachments.contents import PICTURES, FileType
from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Staff
from services.shared.typesetting.version_code import same_code

# Those taken out again are counted: their bytes stay.
FILES_MAX = 200
ABOUT_PARTNERS = frozenset({*PROOFS, Purpose.GOOD_STANDING, Purpose.CONSENT})
PURPOSES = ABOUT_PARTNERS | {Purpose.STAMPED_FORM, Purpose.PICTURE, Purpose.OTHER}


async def require_may_file(pool: Pool, identifier: str, staff: Staff) -> None:
    """Asked before the file is read: nobody sends 20 MB to be told that they may not."""
    found = access.require_sight(staff, await store.load(pool, identifier), identifier)
    access.require_change(staff, found)
    if found.stage not in (*EDITABLE, *SCANNABLE):
        require_stage(found, *EDITABLE)


async def add(pool: Pool, identifier: str, upload: Upload, staff: Staff, now: datetime) -> Attachment:
    """Attach a file that was received; its form's fields are `purpose`, `partner` and `version_code`."""
    purpose = _purpose(upload)
    async with transaction(pool) as connection:
        found = await held(connection, identifier, staff)
        code, version_code = "", ""
        if purpose is Purpose.STAMPED_FORM:
            require_stage(found, *SCANNABLE)
            version_code = await _matching_code(connection, found, upload.fields.get("version_code", ""))
        else:
            await require_writable(connection, found, now)
            code = _partner(found, purpose, upload.fields.get("partner", "").strip())
        if await store.count_files(connection, identifier) >= FILES_MAX:
            raise Refusal(RegistryReason.TOO_MANY_FILES, f"An application takes at most {FILES_MAX} files in all.")
        made = await attach(connection, upload, "application", identifier, purpose, staff.staff, now, found.call)
        await store.add_file(connection, made.attachment, identifier, code, version_code)
        await store.touch(connection, identifier, now)
    return made


def _purpose(upload: Upload) -> Purpose:
    word = upload.fields.get("purpose", "")
    if word not in PURPOSES:
        raise Refusal(RegistryReason.BAD_PURPOSE, f"purpose is one of: {', '.join(sorted(PURPOSES))}.")
    purpose = Purpose(word)
    wanted = PICTURES if purpose is Purpose.PICTURE else PICTURES | {FileType.PDF}
    if purpose in (Purpose.PICTURE, Purpose.STAMPED_FORM, Purpose.CONSENT) and upload.type not in wanted:
        kinds = ", ".join(sorted(each.ending.lstrip(".") for each in wanted))
        raise Refusal(
            RegistryReason.WRONG_FILE_TYPE,
            f"For {word} send one of: {kinds}; this is {upload.type.ending.lstrip('.')}.",
        )
    return purpose


async def _matching_code(connection: Connection, found: Application, typed: str) -> str:
    newest = await store.newest_version(connection, found.application)
    if newest is None:
        raise Refusal(RegistryReason.NOT_SUBMITTED, "Hand the application in first; the print then bears its code.")
    if not same_code(typed, newest.version_code):
        raise Refusal(
            RegistryReason.VERSION_CODE_MISMATCH,
            f"The newest version handed in bears the code {newest.version_code}; print, stamp and scan that one.",
            version_code=newest.version_code,
        )
    return newest.version_code


def _partner(found: Application, purpose: Purpose, code: str) -> str:
    """The partner a proof is about; where there is only one that it can be, it need not be named."""
    if purpose not in ABOUT_PARTNERS:
        return ""
    if not code:
        partners = found.content.get("partners", [])
        if purpose is not Purpose.CONSENT:
            partners = [each for each in partners if each["kind"] == "social_organisation"]
        if len(partners) == 1:
            code = partners[0]["credit_code"].strip()
    partner_name(found, code)
    return code


async def remove(pool: Pool, identifier: str, attachment: str, staff: Staff, now: datetime) -> None:
    """Take a file out of the form; what was handed in with it stays as it was."""
    async with transaction(pool) as connection:
        found = await held(connection, identifier, staff)
        await require_writable(connection, found, now)
        if "\0" in attachment or not await store.remove_file(connection, identifier, attachment, staff.staff, now):
            raise Refusal(RegistryReason.UNKNOWN_ATTACHMENT, "There is no such file in this application.")
        await store.touch(connection, identifier, now)
        await record(
            connection, now, staff.staff, "application.file_removed", "application", identifier,
            round_id=found.call, before={"attachment": attachment},
        )  # fmt: skip
