"""Who may download a file: the subject that owns its object decides. A subject plugs in by one line here.

A decision is asked for the object (`object_id` of that kind), not for the file, and never tells whether it exists.
"""

from collections.abc import Awaitable, Callable

from services.registry.applications import access as applications
from services.registry.grants import access as projects
from services.registry.lists import proposals as lists
from services.registry.objections import office as objections
from services.shared.postgres import Pool
from services.shared.staff import Staff

MayRead = Callable[[Pool, Staff | None, str], Awaitable[bool]]

OWNERS: dict[str, MayRead] = {
    "application": applications.may_read,
    "call": applications.may_read_import,
    "project": projects.may_read_files,
    "list": lists.may_read,
    "objection": objections.may_read,
}
