"""Routes of observers' keys: security administrators make and withdraw them; they see no content by that."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.status_codes import HTTP_201_CREATED

from services.scoring import paging
from services.scoring.desk import desk_of
from services.scoring.readers import keys, store
from services.shared.staff import Role

AnyRequest = Request[Any, Any, Any]
Json = dict[str, Any]


class KeyBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whose key it is."""

    name: str


@post("/keys", summary="Make an observer's key; it is shown once", status_code=HTTP_201_CREATED)
async def make_key(request: AnyRequest, data: JSONBody[KeyBody]) -> Json:
    desk = desk_of(request)
    official = await desk.door.require(request, Role.SECURITY_ADMINISTRATOR)
    made, secret = await keys.make(desk, official, data.name)
    return {**_key_json(made), "key": secret}


@get("/keys", summary="Observers' keys, without what opens")
async def list_keys(
    request: AnyRequest, after: FromQuery[int] = 0, limit: FromQuery[int] = paging.LIMIT_DEFAULT
) -> Json:
    desk = desk_of(request)
    await desk.door.require(request, Role.SECURITY_ADMINISTRATOR, Role.AUDITOR)
    known = await store.keys(desk.pool, after, paging.checked_limit(limit) + 1)
    return paging.page(known, limit, lambda each: each.number, _key_json)


@post("/keys/{number:int}/withdrawals", summary="Withdraw an observer's key", status_code=HTTP_201_CREATED)
async def withdraw_key(request: AnyRequest, number: FromPath[int]) -> Json:
    desk = desk_of(request)
    official = await desk.door.require(request, Role.SECURITY_ADMINISTRATOR)
    return _key_json(await keys.withdraw(desk, official, number))


def _key_json(key: store.Key) -> Json:
    state = "withdrawn" if key.withdrawn_at else "in_force"
    return {"state": state, **{name: getattr(key, name) for name in key.__dataclass_fields__}}


ROUTES = [make_key, list_keys, withdraw_key]
