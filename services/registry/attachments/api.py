"""The one way out of the vault: a download, never shown in place, authorised by the object's own subject."""

from urllib.parse import quote

from litestar import get
from litestar.params import FromPath
from litestar.response import Stream

from services.registry.attachments import store
from services.registry.attachments.owners import OWNERS
from services.registry.attachments.records import Attachment
from services.registry.log.record import record
from services.registry.parts import PREFIX, parts
from services.registry.reasons import RegistryReason
from services.shared.errors import CommonReason, Refusal
from services.shared.pages import AnyRequest


@get(f"{PREFIX}/attachments/{{attachment:str}}")
async def download(request: AnyRequest, attachment: FromPath[str]) -> Stream:
    """A file as it was handed in; every download is logged."""
    own = parts(request)
    staff = await own.door.identify(request)
    found = await store.find(own.pool, attachment)
    may_read = OWNERS.get(found.kind) if found else None
    if found is None or may_read is None or not await may_read(own.pool, staff, found.object):
        if staff is None:
            raise Refusal(CommonReason.BAD_TOKEN, "Sign in to download files.")
        raise Refusal(RegistryReason.UNKNOWN_ATTACHMENT, "There is no such file for you.")
    await record(
        own.pool, own.clock.now(), staff.staff if staff else "public", "attachment.read", found.kind, found.object,
        after={"attachment": found.attachment}, personal=True,
    )  # fmt: skip
    try:
        blocks = await own.files.blocks(bytes.fromhex(found.sha256))
    except FileNotFoundError:
        raise Refusal(
            CommonReason.UNAVAILABLE, "The file's bytes are not in the vault at the moment; tell the operators."
        ) from None
    return Stream(blocks, headers=headers(found))


def headers(found: Attachment) -> dict[str, str]:
    """A browser may save the file and do nothing else with it."""
    ascii_name = found.file_name.encode("ascii", "ignore").decode().replace('"', "").replace("\\", "").strip() or "file"
    whole_name = quote(found.file_name, safe="")
    return {
        "content-type": found.media_type,
        "content-length": str(found.bytes),
        "content-disposition": f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{whole_name}",
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "private, no-store",
    }


ROUTES = [download]
