"""The form in which a person asks for more than a limit allows."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django import forms
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone

from common import formatting
from common.admin.visible_rows import visible_to
from common.refusal import Refusal
from dashboard.budgets.budget import limit_title
from gate import services as gate
from keys.books.queries.pages import Meter, budget_meters
from keys.models import Agent, Allocation, CostCentre, Window

_DAY = timedelta(days=1)
_SOON = timedelta(hours=1)
_LOCAL = "%Y-%m-%dT%H:%M"
_OF_EFFECT = ("limit", "amount", "until")


class AskForm(forms.Form):
    """Asks which limit has to allow how much more, until when, and why.

    `shown` says for which values the page has shown the effect, so that nothing is sent unseen;
    `key` makes a form that is sent twice one request.
    """

    limit = forms.ChoiceField(label="Limit")
    amount = forms.DecimalField(
        label="How much more",
        max_digits=24,
        decimal_places=9,
        min_value=0,
        help_text="In whole tokens, or in US dollars. It counts in each period of the limit.",
    )
    until = forms.DateTimeField(
        label="Until",
        widget=forms.DateTimeInput({"type": "datetime-local"}, format=_LOCAL),
        input_formats=[_LOCAL],
        help_text="In the reporting zone. The grant ends by itself at this time.",
    )
    reason = forms.CharField(
        label="Why", max_length=300, help_text="Who decides reads it, and the history keeps it."
    )
    shown = forms.CharField(widget=forms.HiddenInput, required=False)
    key = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(
        self, meters: Sequence[Meter], values: Mapping[str, str], *, now: datetime
    ) -> None:
        super().__init__(values, label_suffix="")
        self.meters = {str(meter.limit_id): meter for meter in meters}
        self.fields["limit"].choices = [  # type: ignore[attr-defined]
            (pk, _words(meter)) for pk, meter in self.meters.items()
        ]
        self.now = now

    @property
    def values(self) -> str:
        """The values on which the effect depends, as they were written."""
        return "|".join(str(self.data.get(name, "")) for name in _OF_EFFECT)

    @property
    def is_shown(self) -> bool:
        """Whether the person has seen what these values do."""
        return bool(self.cleaned_data["shown"] == self.values)

    def request(self) -> gate.BudgetRequest:
        """What is asked for, once the fields are right."""
        asked = self.cleaned_data
        meter = self.meters[asked["limit"]]
        return gate.BudgetRequest(
            scope=meter.scope,
            unit=meter.unit,
            period=meter.period,
            amount=asked["amount"],
            until=asked["until"],
            reason=asked.get("reason", ""),
        )

    def effect(self) -> str:
        """What the request would do now, in figures; empty while that cannot be said."""
        if self.errors.keys() & {*_OF_EFFECT} or self.cleaned_data["amount"] is None:
            return ""
        try:
            return gate.budget_effect(self.request(), now=self.now)
        except Refusal as refusal:
            self.say(refusal)
            return ""

    def rule(self) -> str:
        """Who would have to approve the request; empty while that cannot be said."""
        if self.errors.keys() & {*_OF_EFFECT} or self.cleaned_data["amount"] is None:
            return ""
        try:
            return gate.budget_rule(self.request(), now=self.now)
        except Refusal:
            # `effect` says it.
            return ""

    def say(self, refusal: Refusal) -> None:
        """Say a refusal beside its field, or above all fields."""
        field = getattr(refusal, "field", None)
        self.add_error(field if field in self.fields else None, refusal.detail)


class PreviewForm(AskForm):
    """The same before it is sent: what is not written yet is no error."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("amount", "reason"):
            self.fields[name].required = False


def meters_to_raise(user: Any, query: Mapping[str, str], *, now: datetime) -> list[Meter]:
    """The limits that the person sees, of what `scope` or `session` names and of all cost centres
    above it; a Http404 if the person does not see that. Nothing more is granted to what is closed
    or switched off."""
    scopes = _scopes(user, query)
    windows = visible_to(user, Window.objects.filter(scope__in=scopes))
    return sorted(
        budget_meters(windows, now=now), key=lambda meter: (scopes.index(meter.scope), meter.free)
    )


def first_values(
    meters: Sequence[Meter], query: Mapping[str, str], *, now: datetime
) -> dict[str, str]:
    """What the form begins with: the limit that refused and how much was needed, as the link says;
    without a limit, the one with the least room."""
    named = [meter for meter in meters if _is_named(meter, query)]
    # A session lacks tokens, never dollars.
    best = min(named or meters, key=lambda meter: (meter.unit != "tokens", meter.free))
    return {
        "limit": str(best.limit_id),
        "amount": query.get("needed", ""),
        "until": timezone.localtime(_end(best, now)).strftime(_LOCAL),
        "reason": "",
        "key": uuid4().hex,
    }


def _is_named(meter: Meter, query: Mapping[str, str]) -> bool:
    names = ("scope", "unit", "period")
    return all(query.get(name, "") in ("", getattr(meter, name)) for name in names)


def _end(meter: Meter, now: datetime) -> datetime:
    """The reset of the limit if that is today; else the same time tomorrow."""
    is_today = meter.period != "total" and _SOON <= meter.resets_at - now <= _DAY
    return meter.resets_at if is_today else now + _DAY


def _scopes(user: Any, query: Mapping[str, str]) -> list[str]:
    if session := query.get("session"):
        lent = get_object_or_404(
            visible_to(user, Allocation.objects.select_related("agent", "cost_centre")),
            session_id=session,
        )
        return [*_own(lent.agent), *_payers(lent.cost_centre)]
    kind, _, slug = query.get("scope", "").partition(":")
    if kind == "agent":
        agents: QuerySet[Agent] = Agent.objects.select_related("cost_centre")
        agent = get_object_or_404(visible_to(user, agents), pk=slug)
        return [*_own(agent), *_payers(agent.cost_centre)]
    slug = slug if kind == "centre" else ""
    return _payers(get_object_or_404(visible_to(user, CostCentre.objects.all()), pk=slug))


def _own(agent: Agent) -> list[str]:
    return [] if agent.disabled_at else [f"agent:{agent.pk}"]


def _payers(centre: CostCentre) -> list[str]:
    above = CostCentre.objects.open().filter(pk__in=centre.path).order_by("-path__len")
    return [f"centre:{slug}" for slug in above.values_list("pk", flat=True)]


def _words(meter: Meter) -> str:
    """`ada, tokens a day: 200 of 1,000 free`."""
    free, amount = (
        formatting.quantity(number, unit=meter.unit)
        for number in (meter.free, meter.amount + meter.granted)
    )
    title = limit_title(meter.unit, meter.period)
    return f"{meter.scope.partition(':')[2]}, {title}: {free} of {amount} free"
