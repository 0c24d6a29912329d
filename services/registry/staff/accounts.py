"""What a new account may be: pure checks of names, roles and who may grant them. Called by `api.py`."""

import re
from collections.abc import Collection
from typing import Any

import msgspec

from services.registry.reasons import RegistryReason
from services.registry.staff import passwords
from services.shared.errors import CommonReason, Refusal
from services.shared.staff import Role, Staff

PLATFORM = "platform"
"""The built-in account of whoever may read the signing key; it has no password."""

_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TEXT_MAX = 200
# Words that stand in paths where a username could stand.
_RESERVED = frozenset({"me", "invitations"})
# Whoever could grant these alone could make the second person of every act that needs two.
_GUARDED = frozenset({Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR})


class NewStaff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /staff`; without `password` a strong one is made and returned once."""

    username: str
    roles: list[str]
    name: str = ""
    unit: str = ""
    channel: str = ""
    password: str | None = None


class Account(msgspec.Struct, frozen=True):
    """An account as staff administration sees it."""

    staff: str
    username: str
    name: str
    roles: list[str]
    unit: str
    channel: str
    disabled: bool
    version: int


class StaffChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PATCH /staff/{username}`: what is left out stays; `version` is the one that was read."""

    version: int
    name: str | None = None
    roles: list[str] | None = None
    unit: str | None = None
    channel: str | None = None
    disabled: bool | None = None


def canonical(username: str) -> str:
    """Usernames are the same in upper and lower case, and with spaces around them."""
    return username.strip().lower()


def is_username(text: str) -> bool:
    """Whether a canonical username can belong to an account at all."""
    return _USERNAME.fullmatch(text) is not None


def require_may_grant(roles: Collection[str], by: Staff) -> None:
    """Raise Refusal 403 where somebody gives, or takes, roles above their own."""
    if not _GUARDED.isdisjoint(roles) and not by.has(Role.SECURITY_ADMINISTRATOR):
        raise Refusal(CommonReason.FORBIDDEN, "Accounts of administrators are a security administrator's business.")


def checked(wanted: NewStaff, by: Staff) -> NewStaff:
    """The account as it is to be stored; raises Refusal `bad_staff` or 403 with what to do."""
    username = canonical(wanted.username)
    roles = sorted(set(wanted.roles))
    if wrong := _mistake(username, roles, wanted):
        raise Refusal(RegistryReason.BAD_STAFF, wrong)
    require_may_grant(roles, by)
    return msgspec.structs.replace(wanted, username=username, roles=roles, name=wanted.name.strip() or username)


def changed(account: Account, wanted: StaffChange, by: Staff) -> Account:
    """The account as it is to become; raises Refusal 403, `stale_version` or `bad_staff`.

    Nobody changes their own roles, unit or channel: an account of one person's making would defeat acts of two.
    """
    if account.staff == by.staff:
        raise Refusal(
            CommonReason.FORBIDDEN, "Somebody else must change your account; your password is yours to change."
        )
    require_may_grant(account.roles, by)
    if wanted.version != account.version:
        raise Refusal(
            RegistryReason.STALE_VERSION, "The account was changed meanwhile; read it again.", version=account.version
        )
    given = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not None}
    after = msgspec.structs.replace(account, **{**given, "version": account.version + 1})
    stand_in = NewStaff(account.username, after.roles, after.name, after.unit, after.channel)
    as_new = checked(stand_in, by)
    return msgspec.structs.replace(after, roles=as_new.roles, name=as_new.name)


def difference(before: Account, after: Account) -> dict[str, Any]:
    """What a change changed, as [before, after] a field; for the log."""
    old, new = msgspec.structs.asdict(before), msgspec.structs.asdict(after)
    return {name: [old[name], new[name]] for name in old if old[name] != new[name] and name != "version"}


def mistake_in_username(username: str) -> str:
    """What is wrong with a canonical username of a new account, as one sentence; empty when it may be used."""
    if not is_username(username):
        return "username must be 1 to 64 of a–z, 0–9, . _ - and begin with a letter or digit"
    if username in _RESERVED:
        return f"username {username!r} is a word of the interface; choose another"
    return ""


def _mistake(username: str, roles: list[str], wanted: NewStaff) -> str:
    if mistake := mistake_in_username(username):
        return mistake
    if not roles:
        return f"roles is empty; give at least one of: {', '.join(Role)}"
    if unknown := [role for role in roles if role not in set(Role)]:
        return f"role {unknown[0][:40]!r} is unknown; use any of: {', '.join(Role)}"
    for key, text in (("name", wanted.name), ("unit", wanted.unit), ("channel", wanted.channel)):
        if len(text) > _TEXT_MAX or not text.isprintable():
            return f"{key} must be at most {_TEXT_MAX} characters on one line"
    return "" if wanted.password is None else passwords.weakness(wanted.password, username)


def as_message_fields(row: Any) -> dict[str, Any]:
    """The members of a StaffMessage from a row of `staff`."""
    names = ("staff", "username", "name", "roles", "unit", "channel", "disabled", "not_before", "version")
    return {name: row[name] for name in names}
