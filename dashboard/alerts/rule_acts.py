"""What people may do to rules of alerts."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms

from alerts import rules
from alerts import services as alerts
from alerts.models import AlertRule
from alerts.services.rules import COOL_OFF_MINUTES_MAX
from dashboard.acts import Act, ActForm, Outcome, Perform
from keys.models import CostCentre
from security.actor import Actor

_CHANGE = "alerts.change_channel"


def _kind_choices() -> list[tuple[str, str]]:
    return [(kind.slug, kind.title) for kind in rules.all_kinds().values()]


class RuleForm(ActForm):
    """Asks what a rule watches, from which figure on it tells, and why."""

    kind = forms.ChoiceField(
        label="Watches",
        choices=_kind_choices,
        help_text="What each kind means is said on the page of rules.",
    )
    name = forms.CharField(max_length=100, help_text="The name of the rule, on pages and alerts.")
    figure = forms.DecimalField(
        label="Tells from", max_digits=12, decimal_places=2, help_text="The figure of its kind."
    )
    cost_centre = forms.ModelChoiceField(
        CostCentre.objects.open().order_by("path"),
        required=False,
        empty_label="All",
        help_text="The rule watches this cost centre with those below it. Kinds that are about "
        "API keys or channels watch all.",
    )
    cool_off_minutes = forms.IntegerField(
        label="Minutes of silence after an incident",
        min_value=0,
        max_value=COOL_OFF_MINUTES_MAX,
        initial=60,
        help_text="The same is not told again so soon after it was over.",
    )
    field_order = ("kind", "name", "figure", "cost_centre", "cool_off_minutes", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(subject, AlertRule):
            kwargs["initial"] = {
                name: getattr(subject, name) for name in self.base_fields if name != "reason"
            }
        super().__init__(subject, *args, **kwargs)
        self._say_figure(self.initial.get("kind"))
        if isinstance(subject, AlertRule):
            self.fields["kind"].disabled = True
            centre: Any = self.fields["cost_centre"]
            centre.queryset = CostCentre.objects.open(kept=[subject.cost_centre]).order_by("path")

    def _say_figure(self, slug: Any) -> None:
        """The figure as the kind of a link names it."""
        if kind := rules.all_kinds().get(str(slug)):
            self.initial.setdefault("figure", kind.default)
            self.initial.setdefault("name", kind.title)
            self.fields["figure"].label = f"Tells from: {kind.figure.lower()}"
            self.fields["figure"].help_text = kind.about


def _terms(asked: Mapping[str, Any]) -> alerts.RuleTerms:
    figure: Decimal = asked["figure"]
    centre = asked["cost_centre"]
    return alerts.RuleTerms(
        kind=asked["kind"],
        name=asked["name"],
        figure=figure,
        cost_centre=centre.pk if centre else "",
        cool_off_minutes=asked["cool_off_minutes"],
    )


def _add(subject: None, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    rule = alerts.add_rule(_terms(asked), reason=asked["reason"], actor=actor, now=now)
    return f"The rule {rule.name} was added. It is evaluated within five minutes."


def _change(rule: AlertRule, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    alerts.change_rule(rule.pk, _terms(asked), reason=asked["reason"], actor=actor, now=now)
    return "The rule was changed."


def _switch(service: Callable[..., object], done: str) -> Perform:
    def perform(rule: AlertRule, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
        service(rule.pk, reason=asked["reason"], actor=actor, now=now)
        return done.format(rule.name)

    return perform


ADD = Act(
    name="add",
    button="Add rule",
    about="Butler evaluates rules every five minutes. One incident is one alert, which is resolved "
    "by itself when it is over.",
    permission=_CHANGE,
    form=RuleForm,
    perform=_add,
)
RULE_ACTS = (
    Act(
        name="change",
        button="Change",
        about="Incidents that the rule no longer finds are over.",
        permission=_CHANGE,
        form=RuleForm,
        perform=_change,
    ),
    Act(
        name="disable",
        button="Disable",
        about="The rule watches nothing more, and its alerts are resolved.",
        permission=_CHANGE,
        perform=_switch(alerts.disable_rule, "{} is disabled."),
        applies=lambda rule: rule.disabled_at is None,
    ),
    Act(
        name="enable",
        button="Enable",
        about="The rule is evaluated again, within five minutes.",
        permission=_CHANGE,
        perform=_switch(alerts.enable_rule, "{} is enabled."),
        applies=lambda rule: rule.disabled_at is not None,
    ),
)
