"""Walking every route of the registry: a foreign object's address, and a body that its handler can read."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
from litestar import Litestar

# Documents of the interface itself, health, and files that everybody loads.
NO_SUBJECT = ("/schema", "/api/registry/v1/schema", "/static", "/api/registry/v1/healthz", "/api/registry/v1/readyz")
_SAMPLES: dict[Any, Any] = {
    str: "x", int: 1, float: 1.0, bool: False, bytes: "", Any: "x", date: "2020-01-01", Decimal: "1",
    datetime: datetime(2020, 1, 1, tzinfo=UTC).isoformat(), UUID: "00000000-0000-4000-8000-000000000000",
    type(None): None,
}  # fmt: skip


def routes(app: Litestar) -> Iterator[tuple[str, str, Any]]:
    """(method, path template, handler) of every route with a subject, OPTIONS and HEAD left out."""
    for route in sorted(app.routes, key=lambda each: each.path):
        if route.path.startswith(NO_SUBJECT) or route.path == "/":
            continue
        handlers = getattr(route, "route_handler_map", {})
        for method in sorted(set(handlers) - {"OPTIONS", "HEAD"}):
            found = handlers[method]
            yield str(method), route.path, found[0] if isinstance(found, tuple) else found


def sample(kind: Any) -> Any:
    """A JSON value that msgspec converts to `kind`; members with defaults are left out."""
    origin = get_origin(kind)
    if origin is Annotated:
        return sample(get_args(kind)[0])
    if origin is Literal:
        return get_args(kind)[0]
    if origin in (Union, types.UnionType):
        return sample(get_args(kind)[0])
    if origin in (list, set, tuple, frozenset) or kind in (list, set, tuple):
        return []
    if origin is dict or kind is dict:
        return {}
    if inspect.isclass(kind) and issubclass(kind, Enum):
        return next(iter(kind)).value
    if inspect.isclass(kind) and issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind, include_extras=True)
        fields = msgspec.structs.fields(kind)
        return {each.encode_name: sample(hints[each.name]) for each in fields if each.required}
    return _SAMPLES[kind]


def body_of(handler: Any) -> Any:
    """A body for a handler's `data`, None where it takes none."""
    hints = get_type_hints(inspect.unwrap(handler.fn), include_extras=True)
    return sample(hints["data"]) if "data" in hints else None
