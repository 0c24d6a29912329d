"""What every act on a project begins with: a transaction that holds the project, and texts and days that are checked.

Called by every domain module of this subject; nothing else opens transactions here.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.registry.attachments import store as attachments
from services.registry.attachments.records import Attachment
from services.registry.grants import access, reading, store
from services.registry.grants.records import KIND, Project, State
from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.shared.clock import day_in
from services.shared.errors import ReasonWord, Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Staff

TEXT_MAX = 4000
# States in which the grant's money is in use.
MONEY_STATES = (State.RUNNING, State.RECTIFYING, State.ACCEPTED, State.FAILED)


@dataclass(frozen=True, slots=True)
class Act:
    """One act on one project: who, when, on what, inside which transaction."""

    connection: Connection
    project: Project
    staff: Staff
    now: datetime

    @property
    def today(self) -> date:
        """The day in the round's own time zone."""
        return day_in(self.now, self.project.timezone)

    async def log(self, verb: str, after: Any) -> None:
        """Append `project.<verb>` to the registry's log, in this act's transaction."""
        await record(
            self.connection, self.now, self.staff.staff, f"{KIND}.{verb}", KIND, self.project.object_id,
            round_id=self.project.round, after=after,
        )  # fmt: skip

    async def fresh(self) -> Project:
        """The project as this act leaves it."""
        found = await reading.project(self.connection, self.project.round, self.project.candidate)
        assert found is not None
        return found

    async def require_files(self, wanted: list[str]) -> dict[str, bytes]:
        """Attachment → SHA-256; raises Refusal `voucher_missing` for one that is not this project's."""
        known = {each.attachment: bytes.fromhex(each.sha256) for each in await self._files()}
        for each in wanted:
            if each not in known:
                raise Refusal(
                    RegistryReason.VOUCHER_MISSING,
                    f"There is no file {each[:64]!r} among this project's; upload it to the project first.",
                )
        return {each: known[each] for each in wanted}

    async def _files(self) -> list[Attachment]:
        return await attachments.of(self.connection, KIND, self.project.object_id)

    def require_state(self, *allowed: State) -> None:
        """Raises Refusal `wrong_state` naming where the project stands."""
        if self.project.state not in allowed:
            raise Refusal(
                RegistryReason.WRONG_STATE,
                f"The project is {self.project.state}; this is possible while it is {' or '.join(allowed)}.",
                state=self.project.state.value,
            )

    def require_selected(self) -> None:
        """Raises Refusal `not_selected` where no new money may go to the project."""
        if not self.project.selected:
            raise Refusal(
                RegistryReason.NOT_SELECTED,
                f"Candidate {self.project.candidate} is not selected in the newest confirmed list, or that list was"
                " retracted: nothing is granted or paid out until a list that selects it is confirmed.",
            )


@asynccontextmanager
async def act_on(pool: Pool, round_id: str, candidate: str, staff: Staff, now: datetime) -> AsyncIterator[Act]:
    """An act on a project that `staff` may see, one at a time; raises Refusal `unknown_project`."""
    if "\0" in round_id or "\0" in candidate:
        raise access.unknown(candidate)
    async with transaction(pool) as connection:
        await store.lock_project(connection, round_id, candidate)
        found = await reading.project(connection, round_id, candidate)
        yield Act(connection, access.require_seen(staff, found, candidate), staff, now)


def text(value: str, where: str, reason: ReasonWord, length_max: int = TEXT_MAX, *, required: bool = True) -> str:
    """The text without surrounding space; raises Refusal `reason` where it is empty, too long or holds controls."""
    plain = value.replace("\r\n", "\n").strip()
    if (
        (required and not plain)
        or len(plain) > length_max
        or any(ord(each) < 32 and each not in "\n\t" for each in plain)
    ):
        raise Refusal(reason, f"{where} must be a text of {'1' if required else '0'} to {length_max} characters.")
    return plain
