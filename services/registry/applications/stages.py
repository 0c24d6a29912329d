"""Where an application stands. Every change goes through `move`, so that two people cannot take it two ways."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from services.shared.postgres import Connection


class Stage(StrEnum):
    """The stages of an application; the same words in SQL, JSON and pages."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RECOMMENDED = "recommended"
    NOT_RECOMMENDED = "not_recommended"
    IN_REVIEW = "in_review"
    COMPLETION = "completion"
    ACCEPTED = "accepted"
    NOT_ACCEPTED = "not_accepted"
    WITHDRAWN = "withdrawn"
    CANDIDATE = "candidate"


STAGE_NAMES = {
    Stage.DRAFT: "草稿",
    Stage.SUBMITTED: "已提交",
    Stage.RECOMMENDED: "已推荐",
    Stage.NOT_RECOMMENDED: "未推荐",
    Stage.IN_REVIEW: "初审中",
    Stage.COMPLETION: "补正中",
    Stage.ACCEPTED: "初审通过",
    Stage.NOT_ACCEPTED: "不予受理",
    Stage.WITHDRAWN: "已撤回",
    Stage.CANDIDATE: "候选项目",
}


async def move(
    connection: Connection, application: str, allowed: Collection[Stage], to: Stage, now: datetime
) -> int | None:
    """Move an application on; its new version, or None where it does not stand in one of `allowed`."""
    version: int | None = await connection.fetchval(
        "UPDATE applications SET stage = $3, version = version + 1, changed_at = $4"
        " WHERE application = $1 AND stage = ANY($2) RETURNING version",
        application,
        [str(stage) for stage in allowed],
        str(to),
        now,
    )
    return version
