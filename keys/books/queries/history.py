"""Everything that happened, the newest first: history rows and settled charges as one list."""

from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import CharField, F, JSONField, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat, JSONObject

from keys.models import Charge, History

# Of two entries of one moment the one with the later word comes first.
CHANGE, USAGE = "change", "usage"


class Entry(NamedTuple):
    """One thing that happened. `source` and `id` name its row."""

    at: datetime
    source: str
    id: int
    kind: str
    scope: str
    agent: str
    session_id: str
    who: str
    why: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class HistoryFilter(NamedTuple):
    """Which entries; None is all. `[since, until)`; `after`: those older than this position
    `(at, source, id)`.
    """

    agent: str | None = None
    kind: str | None = None
    session_id: str | None = None
    key_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: tuple[datetime, str, int] | None = None


def history(which: HistoryFilter, *, most: int) -> list[Entry]:
    """The newest `most` of those entries; one query."""
    changes, usage = _changes(which, most), _usage(which, most)
    if which.kind == History.Kind.USAGE_UPDATE:
        found = usage
    elif which.kind:
        found = changes
    else:
        found = changes.union(usage, all=True).order_by("-at", "-source", "-id")[:most]
    return [Entry(*row) for row in found]


def _changes(which: HistoryFilter, most: int) -> QuerySet:
    found = History.objects.filter(
        _equal(
            agent_slug=which.agent,
            kind=which.kind,
            session_id=which.session_id,
            scope=which.key_id and f"key:{which.key_id}",
            at__gte=which.since,
            at__lt=which.until,
        ),
        _older("at", CHANGE, which.after),
    )
    return (
        found.annotate(source=_word(CHANGE), agent=F("agent_slug"))
        .order_by("-at", "-id")
        .values_list(*Entry._fields)[:most]
    )


def _usage(which: HistoryFilter, most: int) -> QuerySet:
    found = Charge.objects.filter(
        _equal(
            allocation__agent=which.agent,
            allocation__session_id=which.session_id,
            api_key=which.key_id,
            settled_at__gte=which.since,
            settled_at__lt=which.until,
        ),
        _older("settled_at", USAGE, which.after),
        status=Charge.Status.SETTLED,
    )
    return (
        found.annotate(
            at=F("settled_at"),
            source=_word(USAGE),
            kind=_word(History.Kind.USAGE_UPDATE.value),
            scope=Concat(Value("key:"), F("api_key_id"), output_field=TextField()),
            agent=F("allocation__agent_id"),
            session_id=F("allocation__session_id"),
            who=Concat(Value("agent:"), F("allocation__agent_id"), output_field=CharField()),
            why=_word(""),
            before=Value(None, JSONField()),
            after=_AFTER,
        )
        .order_by("-settled_at", "-id")
        .values_list(*Entry._fields)[:most]
    )


_AFTER = JSONObject(
    charge_id=F("id"),
    model=F("model"),
    tokens=F("tokens"),
    input_tokens=F("input_tokens"),
    cached_tokens=F("cached_tokens"),
    cache_write_tokens=F("cache_write_tokens"),
    cache_write_long_tokens=F("cache_write_long_tokens"),
    audio_input_tokens=F("audio_input_tokens"),
    output_tokens=F("output_tokens"),
    reasoning_tokens=F("reasoning_tokens"),
    audio_output_tokens=F("audio_output_tokens"),
    cost=Cast("cost", TextField()),
    provider_cost=Cast("provider_cost", TextField()),
    provider_request_id=F("provider_request_id"),
    route=F("route"),
    basis=F("basis"),
    overrun=F("overrun"),
)


def _word(word: str) -> Value:
    return Value(word, CharField())


def _equal(**wanted: Any) -> Q:
    return Q(**{name: value for name, value in wanted.items() if value is not None})


def _older(moment: str, source: str, after: tuple[datetime, str, int] | None) -> Q:
    """Rows of `source` that come after the position; the first condition is for the index."""
    if after is None:
        return Q()
    at, other, pk = after
    older = Q(**{f"{moment}__lt": at})
    if source > other:
        return older
    until = Q(**{f"{moment}__lte": at})
    return until if source < other else until & (older | Q(pk__lt=pk))
