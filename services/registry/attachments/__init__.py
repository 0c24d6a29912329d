"""Files that people hand in: received, checked by content, kept under their SHA-256 outside the database.

A subject's route calls `own.files.receive(request)` before its transaction, and `attach` inside it; `of` lists what an
object has. Who may download is told by the object's own subject (`owners.py`).
"""

from services.registry.attachments.receiving import Files, Upload
from services.registry.attachments.records import Attachment, Purpose
from services.registry.attachments.store import attach, find, of

__all__ = ["Attachment", "Files", "Purpose", "Upload", "attach", "find", "of"]
