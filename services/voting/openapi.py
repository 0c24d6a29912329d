"""The ballot route in the OpenAPI document: it is answered in front of the framework, and stands there all the same."""

from __future__ import annotations

from litestar import Litestar
from litestar.openapi.spec import (
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    PathItem,
    Reference,
    RequestBody,
    Schema,
)
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType

from services.shared.errors import CommonReason, ReasonWord
from services.voting.reasons import Reason

PATH = "/api/voting/v1/rounds/{round_id}/ballots"
_REFUSALS: list[ReasonWord] = [
    Reason.OVERLOADED, Reason.BAD_TOKEN, Reason.UNKNOWN_ROUND, Reason.BALLOT_ID_REUSED, Reason.WINDOW_CLOSED,
    Reason.BAD_BALLOT, Reason.ALREADY_VOTED, Reason.CHALLENGE_REQUIRED, Reason.TOO_MANY_ATTEMPTS,
    CommonReason.BODY_TOO_LARGE,
]  # fmt: skip


def _text(form: OpenAPIFormat | None = None) -> Schema:
    return Schema(type=OpenAPIType.STRING, format=form)


def _object(required: list[str], **properties: Schema) -> Schema:
    return Schema(type=OpenAPIType.OBJECT, required=required, properties={**properties})


def _ballot() -> Schema:
    choices = Schema(type=OpenAPIType.ARRAY, items=_text(), description="Identifiers of candidates.")
    return _object(["ballot_id", "choices"], ballot_id=_text(OpenAPIFormat.UUID), choices=choices, altcha=_text())


def _receipt() -> Schema:
    return _object(
        ["receipt", "ballot_id", "recorded_at", "index"],
        receipt=_text(),
        ballot_id=_text(OpenAPIFormat.UUID),
        recorded_at=_text(OpenAPIFormat.DATE_TIME),
        index=Schema(type=OpenAPIType.INTEGER),
    )


def _responses() -> dict[str, OpenAPIResponse | Reference]:
    accepted = {"application/json": OpenAPIMediaType(schema=_receipt())}
    answers: dict[str, OpenAPIResponse | Reference] = {
        "201": OpenAPIResponse(description="Recorded: committed to the ledger before this answer.", content=accepted),
        "200": OpenAPIResponse(description="The same ballot again: the same receipt.", content=accepted),
    }
    document = {"application/problem+json": OpenAPIMediaType(schema=_object(["reason"], reason=_text()))}
    for status in sorted({reason.status for reason in _REFUSALS}):
        words = ", ".join(reason.value for reason in _REFUSALS if reason.status == status)
        answers[str(status)] = OpenAPIResponse(description=f"Refused: {words}.", content=document)
    return answers


def describe_ballots(app: Litestar) -> None:
    """Add the operation to the application's document; called once by the composition root."""
    operation = Operation(
        operation_id="PostBallot",
        summary="Cast a ballot; the same ballot again gets the same receipt",
        parameters=[Parameter(name="round_id", param_in="path", required=True, schema=_text())],
        request_body=RequestBody(content={"application/json": OpenAPIMediaType(schema=_ballot())}, required=True),
        responses=_responses(),
        security=[{"voter": []}],
    )
    paths = app.openapi_schema.paths
    assert paths is not None
    paths[PATH] = PathItem(post=operation)
