"""The built-in status page, for those without Grafana, and the registry's own part of `GET …/status`.

The page asks each service for its status with the token of whoever looks; the registry knows only its own.
"""

from typing import Any

from litestar import Response, get

from services.registry.parts import PREFIX, parts
from services.shared.messages import REGISTRY_ROUNDS, REGISTRY_STAFF, SCORING_RANKINGS, VOTING_TALLIES, VOTING_WINDOWS
from services.shared.pages import AnyRequest
from services.shared.staff import Role
from services.shared.status import Observed, Samples, status_route

_READERS = (Role.OPERATOR, Role.ADMINISTRATOR, Role.AUDITOR)


async def _own(samples: Samples) -> dict[str, Any]:
    return {
        "sign_ins": samples.by("registry_sign_ins_total", "outcome"),
        "applications": samples.by("registry_applications", "stage"),
        "reviews_due": samples.by("registry_reviews_due", "when"),
        "objections": samples.by("registry_objections", "state"),
        "objections_overdue": samples.total("registry_objections_overdue"),
        "projects_overdue": samples.by("registry_projects_overdue", "what"),
    }


def _observe(request: AnyRequest) -> Observed:
    own = parts(request)
    return Observed(
        "registry", own.settings, own.door, request.app.state.health, own=_own,
        follows=[SCORING_RANKINGS, VOTING_TALLIES, VOTING_WINDOWS], publishes=[REGISTRY_ROUNDS, REGISTRY_STAFF],
    )  # fmt: skip


@get("/status")
async def status_page(request: AnyRequest) -> Response[Any]:
    """How the platform is; the numbers are filled in, and kept fresh, by `status.js`."""
    own = parts(request)
    staff = await own.door.visitor(request, *_READERS)
    return own.pages.render(request, "status.html", staff=staff)


ROUTES = [status_route(PREFIX, _observe), status_page]
