"""The history: audit entries and settled charges as one list, newest first."""

from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    CharField,
    F,
    Func,
    JSONField,
    Q,
    QuerySet,
    TextField,
    Value,
)
from django.db.models.functions import Cast, Concat, JSONObject

from keys.audit_actions import Action
from keys.models import Charge
from security.actor import ActorKind, display_name
from security.models import AuditEntry

# Of two entries at the same moment, the one whose source is later in the alphabet comes first.
CHANGE, USAGE = "change", "usage"


class Entry(NamedTuple):
    """One event. `source` and `id` identify its row.

    `subjects` are addresses such as `key:nvidia-1`, with the changed thing first.
    """

    at: datetime
    source: str
    id: int
    action: str
    subjects: list[str]
    actor_name: str
    actor_kind: str
    reason: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @property
    def subject(self) -> str:
        """The address of what was changed, such as `key:nvidia-1`."""
        return self.subjects[0]

    @property
    def agent(self) -> str:
        """The slug of the agent concerned; empty without one."""
        return self._subject_of("agent")

    @property
    def session_id(self) -> str:
        """The id of the session concerned; empty without one."""
        return self._subject_of("session")

    @property
    def actor(self) -> str:
        """The actor: `agent:ada` for an agent, the name for all others."""
        return display_name(self.actor_name, self.actor_kind)

    def _subject_of(self, kind: str) -> str:
        named = (subject.partition(":") for subject in self.subjects)
        return next((name for prefix, _, name in named if prefix == kind), "")


class HistoryFilter(NamedTuple):
    """A filter of events; None does not filter.

    `since`, `until`: events in `[since, until)`. `after`: events before this position
    `(at, source, id)` in time.
    """

    agent: str | None = None
    action: str | None = None
    session_id: str | None = None
    key_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: tuple[datetime, str, int] | None = None


def history(which: HistoryFilter, *, most: int) -> list[Entry]:
    """The newest `most` events of the filter; one query."""
    changes, usage = _changes(which, most), _usage(which, most)
    if which.action in (None, Action.CHARGE_SETTLE):
        events = changes.union(usage, all=True).order_by("-at", "-source", "-id")[:most]
    else:
        events = changes
    return [Entry(*row) for row in events]


def _changes(which: HistoryFilter, most: int) -> QuerySet[Any, Any]:
    named = {"session": which.session_id, "agent": which.agent, "key": which.key_id}
    subjects = [f"{kind}:{name}" for kind, name in named.items() if name is not None]
    entries = AuditEntry.objects.filter(
        _equal(
            action=which.action,
            subjects__contains=subjects or None,
            at__gte=which.since,
            at__lt=which.until,
        ),
        _older("at", CHANGE, which.after),
    )
    return (
        entries.annotate(source=_word(CHANGE))
        .order_by("-at", "-id")
        .values_list(*Entry._fields)[:most]
    )


def _usage(which: HistoryFilter, most: int) -> QuerySet[Charge, Any]:
    charges = Charge.objects.filter(
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
        charges.annotate(
            at=F("settled_at"),
            source=_word(USAGE),
            action=_word(Action.CHARGE_SETTLE.value),
            subjects=_SUBJECTS,
            actor_name=F("allocation__agent_id"),
            actor_kind=_word(ActorKind.AGENT.value),
            reason=_word(""),
            before=Value(None, JSONField()),
            after=_AFTER,
        )
        .order_by("-settled_at", "-id")
        .values_list(*Entry._fields)[:most]
    )


_SUBJECTS = Func(
    *(
        Concat(Value(f"{kind}:"), F(column), output_field=TextField())
        for kind, column in (
            ("session", "allocation__session_id"),
            ("agent", "allocation__agent_id"),
            ("key", "api_key_id"),
        )
    ),
    template="ARRAY[%(expressions)s]",
    output_field=ArrayField(TextField()),
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
    image_input_tokens=F("image_input_tokens"),
    output_tokens=F("output_tokens"),
    reasoning_tokens=F("reasoning_tokens"),
    audio_output_tokens=F("audio_output_tokens"),
    image_output_tokens=F("image_output_tokens"),
    web_searches=F("web_searches"),
    search_kind=F("search_kind"),
    cost=Cast("cost", TextField()),
    service_tier=F("service_tier"),
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
