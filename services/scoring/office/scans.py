"""Scans of signed paper sheets: kept as they came under their SHA-256, told by their content, never changed.

Called by `papers_api.py`; the clerks' entries name the scan they were read from.
"""

from __future__ import annotations

import hashlib

from services.scoring import metrics
from services.scoring.desk import Desk
from services.scoring.office import papers, scan_store
from services.scoring.office.scan_store import Scan
from services.scoring.reasons import Reason
from services.shared.errors import Refusal
from services.shared.postgres import transaction
from services.shared.staff import Staff

BYTES_MAX = 10 * 1024 * 1024
PER_PAPER_MAX = 10
_SIGNS = {b"%PDF-": "application/pdf", b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}


def media_type_of(body: bytes) -> str:
    """What the content is, whatever its name says; "" for what is no scan."""
    return next((kind for sign, kind in _SIGNS.items() if body.startswith(sign)), "")


async def archive(desk: Desk, clerk: Staff, round_id: str, code: str, body: bytes) -> Scan:
    """Keep a scan of a paper sheet; the same bytes again are the same scan. Raises Refusal `bad_scan`."""
    paper = (await papers.show(desk, clerk, round_id, code)).paper
    media_type = media_type_of(body)
    if not media_type or len(body) > BYTES_MAX:
        detail = f"Send a scan as PDF, JPEG or PNG of at most {BYTES_MAX // 2**20} MB."
        raise Refusal(Reason.BAD_SCAN, detail)
    new = Scan(paper.code, hashlib.sha256(body).hexdigest(), media_type, clerk.username, desk.clock.now())
    async with transaction(desk.pool) as connection:
        known = await scan_store.scans(connection, paper.code)
        if len(known) >= PER_PAPER_MAX and new.digest not in {each.digest for each in known}:
            raise Refusal(Reason.BAD_SCAN, f"A sheet keeps at most {PER_PAPER_MAX} scans; use one that is there.")
        await scan_store.put_scan(connection, new, body)
    metrics.scoring_office_acts_total.labels(metrics.OfficeAct.SCAN_ARCHIVED).inc()
    return new


async def read(desk: Desk, official: Staff, round_id: str, code: str, digest: str) -> tuple[Scan, bytes]:
    """A scan with its bytes."""
    paper = (await papers.show(desk, official, round_id, code)).paper
    found = await scan_store.scan(desk.pool, paper.code, digest)
    if found is None:
        raise Refusal(Reason.UNKNOWN_PAPER, "This sheet has no scan with this digest; take one from its list.")
    return found
