"""What is frozen now."""

from collections.abc import Iterable

from django.db.models import Exists, Model, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Concat
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from common.statements import fetch_unprepared
from keys.books import sql
from keys.books.sql.freeze import CutCharge
from keys.models import EVERYTHING, Agent, ApiKey, CostCentre, Freeze, Provider

# All who listen to it hear of every freeze.
FREEZE_CHANNEL = sql.FREEZE_CHANNEL


def frozen_payers() -> set[str]:
    """The scopes of payers for which nothing can start: `agent:…`, `centre:…` or `all`."""
    return {row.scope for row in fetch_unprepared(sql.FROZEN_PAYERS)}


def is_frozen_agent(slug: str) -> bool:
    """Whether nothing can be held for the agent."""
    return not frozen_payers().isdisjoint((EVERYTHING, f"agent:{slug}"))


def frozen_keys() -> QuerySet[ApiKey]:
    """The API keys that are frozen, by themselves or with their provider."""
    return ApiKey.objects.filter(
        Exists(
            Freeze.objects.filter(thawed_at=None).filter(
                Q(scope=Concat(Value("key:"), OuterRef("pk")))
                | Q(scope=Concat(Value("provider:"), OuterRef("provider_id")))
            )
        )
    )


def is_frozen_key(api_key: ApiKey) -> bool:
    """Whether the key is frozen, by itself or with its provider."""
    return frozen_keys().filter(pk=api_key.pk).exists()


async def cut_charges(
    connection: AsyncConnection[TupleRow], charges: Iterable[int]
) -> list[CutCharge]:
    """Those of these running calls that a freeze ends. Reads by a connection of an event loop."""
    found = await connection.execute(sql.CUT_CHARGES.text, {"charges": list(charges)})
    return [CutCharge._make(row) for row in await found.fetchall()]


def freezes_of(subject: Model) -> QuerySet[Freeze]:
    """The freezes that stop an API key, a provider, an agent or a cost centre now."""
    return Freeze.objects.filter(thawed_at=None, scope__in=[EVERYTHING, *_scopes(subject)])


def _scopes(subject: Model) -> list[str]:
    match subject:
        case ApiKey():
            return [subject.scope, f"provider:{subject.provider_id}"]
        case Provider():
            return [f"provider:{subject.pk}"]
        case Agent():
            return [f"agent:{subject.pk}", *_scopes(subject.cost_centre)]
        case CostCentre():
            return [f"centre:{slug}" for slug in subject.path]
    raise TypeError(f"{subject!r} cannot be frozen")
