"""Reads of allocations, limited to what the sender of a request may see."""

from collections import namedtuple
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS
from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform

from common.statements import Statement, fetch, instance, model_row
from keys.books.selection import from_json
from keys.identity.queries.credentials import Bearer
from keys.models import Allocation, ApiKey
from keys.refusals import AllocationNotFound


class KeyRow(NamedTuple):
    """The API key of an allocation, and the tokens free on it when it was chosen."""

    slug: str
    provider_id: str
    model: str
    available_capacity: int | None


class OwnRow(NamedTuple):
    """The id of an allocation that belongs to the bearer."""

    id: int


# As SQL, since every API call runs one of them: building a queryset takes longer than the query.
KEY = Statement(
    """
    SELECT k.slug, k.provider_id, k.model,
           (d.verdicts ->> 'capacity')::bigint AS available_capacity
      FROM keys_apikey k LEFT JOIN keys_decision d ON d.allocation_id = %(allocation)s
     WHERE k.slug = %(key)s
    """,
    KeyRow,
)
_AllocationRow = model_row(Allocation, without=["asked"])
# The type checker does not support a named tuple whose fields are computed.
_RowWithKey: type[NamedTuple] = namedtuple(  # type: ignore[misc]
    "_RowWithKey", [*_AllocationRow._fields, "provider", "key_model", "available_capacity"]
)
ROW_WITH_KEY = Statement(
    f"""
    SELECT {", ".join(f"a.{column}" for column in _AllocationRow._fields)},
           k.provider_id AS provider, k.model AS key_model,
           (d.verdicts ->> 'capacity')::bigint AS available_capacity
      FROM keys_allocation a JOIN keys_apikey k ON k.slug = a.api_key_id
      LEFT JOIN keys_decision d ON d.allocation_id = a.id
     WHERE a.id = %(allocation)s
    """,  # noqa: S608 - names of columns
    _RowWithKey,
)
OWN = Statement(
    """
    SELECT id FROM keys_allocation
     WHERE session_id = %(wanted)s AND agent_id = %(agent)s
       AND coalesce(%(session)s::text, session_id) = session_id
    """,
    OwnRow,
)


def visible_allocations(bearer: Bearer) -> QuerySet[Allocation]:
    """The allocations that this bearer may read: of its session, of its agent, or all.

    Each has its API key and `available_capacity`, as text: the tokens free on the chosen key when
    it was chosen, or None.
    """
    allocations = Allocation.objects.select_related("api_key").annotate(
        available_capacity=KeyTextTransform("capacity", "decision__verdicts")
    )
    if bearer.session_id:
        return allocations.filter(session_id=bearer.session_id)
    return allocations if bearer.sees_all else allocations.filter(agent=bearer.agent)


def visible_allocation(session_id: str, *, bearer: Bearer) -> Allocation:
    """One of `visible_allocations`. Refusals: AllocationNotFound, also when it is not visible."""
    return _by_session(visible_allocations(bearer), session_id)


def own_allocation(session_id: str, *, bearer: Bearer) -> Allocation:
    """The bearer's own allocation, to change it: the scope to read all does not allow that.

    Refusals: AllocationNotFound.
    """
    return _by_session(visible_allocations(bearer).filter(agent=bearer.agent), session_id)


def own_allocation_id(session_id: str, *, bearer: Bearer) -> int:
    """The primary key of `own_allocation`. Refusals: AllocationNotFound."""
    rows = fetch(OWN, wanted=session_id, agent=bearer.agent, session=bearer.session_id)
    if not rows:
        raise _not_found(session_id)
    return rows[0].id


def with_key(allocation: Allocation) -> Allocation:
    """`allocation` with the key and capacity that `visible_allocations` adds to a row."""
    [key] = fetch(KEY, allocation=allocation.pk, key=allocation.api_key_id)
    return _add_key(allocation, key)


def allocation_with_key(allocation_id: int) -> Allocation:
    """The allocation as it is now, with what `with_key` adds. It exists."""
    [row] = fetch(ROW_WITH_KEY, allocation=allocation_id)
    count = len(_AllocationRow._fields)
    allocation = instance(Allocation, _AllocationRow._make(row[:count]))
    return _add_key(allocation, KeyRow(allocation.api_key_id, *row[count:]))


def _add_key(allocation: Allocation, key: KeyRow) -> Allocation:
    # As with `only` of a queryset: other columns are read when they are accessed.
    allocation.api_key = ApiKey.from_db(DEFAULT_DB_ALIAS, KeyRow._fields[:-1], key[:-1])
    vars(allocation)["available_capacity"] = key.available_capacity
    return allocation


def decision_of(allocation: Allocation) -> dict[str, Any] | None:
    """Every candidate and why it was chosen or not, as `selection.from_json` returns it.

    None for an imported allocation.
    """
    decision = getattr(allocation, "decision", None)
    return decision and from_json(decision.verdicts)


def _by_session(allocations: QuerySet[Allocation], session_id: str) -> Allocation:
    allocation = allocations.filter(session_id=session_id).first()
    if allocation is None:
        raise _not_found(session_id)
    return allocation


def _not_found(session_id: str) -> AllocationNotFound:
    return AllocationNotFound(session_id=session_id)
