"""What people may do to routes of alerts."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.models import User

from alerts import kinds, recipients
from alerts import services as alerts
from alerts.models import Channel, Route, Severity
from alerts.models.route import MINUTES_MAX
from dashboard.acts import Act, NoQuestions, Outcome, Perform
from keys.models import CostCentre
from security.actor import Actor

_CHANGE = "alerts.change_channel"
_STEPS = (1, 2)


def _kind_choices() -> list[tuple[str, str]]:
    return [(slug, slug.replace("_", " ")) for slug in sorted(kinds.all_kinds())]


def _time(label: str, help_text: str = "") -> forms.TimeField:
    widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    return forms.TimeField(label=label, required=False, widget=widget, help_text=help_text)


def _minutes(number: int) -> forms.IntegerField:
    return forms.IntegerField(
        label=f"Escalation {number}: minutes",
        required=False,
        min_value=1,
        max_value=MINUTES_MAX,
        help_text="If nobody has acknowledged the alert so long after it was raised, those chosen "
        "below are told, once.",
    )


def _targets() -> list[tuple[str, Any]]:
    """Whom a step can tell: shared channels, roles, and persons who have an e-mail address."""
    channels = Channel.objects.enabled().shared()
    people = User.objects.filter(is_active=True).exclude(email="").order_by("username")
    return [
        ("", "None"),
        ("Channels", [(str(each.pk), each.name) for each in channels]),
        ("Roles", [(f"role:{name}", name) for name in recipients.people().role_names()]),
        ("Persons", [(f"person:{each.pk}", each.username) for each in people]),
    ]


def _target(number: int) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        label=f"Escalation {number}: whom",
        required=False,
        choices=_targets,
        coerce=lambda value: value if ":" in value else UUID(value),
        empty_value=None,
        help_text="A channel, or by e-mail those who hold a role, or a person, if they see the "
        "cost centre that the alert is about.",
    )


class RouteForm(NoQuestions):
    """Asks for what a route does."""

    name = forms.CharField(max_length=100, help_text="The name of the route.")
    severity_min = forms.ChoiceField(
        label="Minimum severity",
        choices=Severity.choices,
        help_text="The route takes alerts of this severity and above.",
    )
    kinds = forms.MultipleChoiceField(
        required=False,
        choices=_kind_choices,
        help_text="The route takes only alerts of the kinds that are chosen here. If none is "
        "chosen, it takes alerts of every kind.",
    )
    cost_centre = forms.ModelChoiceField(
        CostCentre.objects.open().order_by("path"),
        required=False,
        empty_label="All",
        help_text="The route takes alerts about agents and sessions of this cost centre and of "
        "those below it.",
    )
    channels = forms.ModelMultipleChoiceField(
        Channel.objects.enabled().shared(),
        required=False,
        help_text="Those that are told. A channel never gets what it does not want.",
    )
    roles = forms.MultipleChoiceField(
        required=False,
        choices=lambda: [(name, name) for name in recipients.people().role_names()],
        help_text="People who hold one of these roles get an e-mail, if they see the cost centre "
        "that the alert is about.",
    )
    persons = forms.ModelMultipleChoiceField(
        User.objects.filter(is_active=True).exclude(email="").order_by("username"),
        required=False,
        help_text="They get an e-mail, too, under the same condition. Who has no e-mail address is "
        "not listed.",
    )
    digest = forms.ChoiceField(
        label="When",
        choices=Route.Digest.choices,
        help_text="One message an hour goes out at the full hour.",
    )
    digest_at = _time("Time of the message of a day", "By the clock of the reporting zone.")
    quiet_from = _time("Quiet from", "What falls into quiet hours waits until they end.")
    quiet_until = _time("Quiet until")
    critical_at_once = forms.BooleanField(
        label="Critical alerts at once",
        required=False,
        initial=True,
        help_text="Critical alerts wait neither for the end of quiet hours nor for others.",
    )
    minutes_1, channel_1 = _minutes(1), _target(1)
    minutes_2, channel_2 = _minutes(2), _target(2)

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(subject, Route):
            kwargs["initial"] = _initial(subject)
        super().__init__(subject, *args, **kwargs)
        if isinstance(subject, Route):
            centre: Any = self.fields["cost_centre"]
            centre.queryset = CostCentre.objects.open(kept=[subject.cost_centre]).order_by("path")

    def clean(self) -> dict[str, Any]:
        """The terms of the route."""
        asked = self.cleaned_data
        steps = []
        for number in _STEPS:
            minutes, target = asked.get(f"minutes_{number}"), asked.get(f"channel_{number}")
            if bool(minutes) != bool(target):
                self.add_error(f"minutes_{number}", "Choose both the minutes and whom to tell.")
            elif minutes and target:
                steps.append((minutes, target))
        centre = asked.get("cost_centre")
        own = {name: asked.get(name) for name in _OWN}
        return own | {
            "cost_centre": centre.pk if centre else "",
            "channels": [each.pk for each in asked.get("channels") or ()],
            "roles": asked.get("roles") or [],
            "persons": [each.pk for each in asked.get("persons") or ()],
            "steps": steps,
        }


_OWN = (
    "name",
    "severity_min",
    "kinds",
    "digest",
    "digest_at",
    "quiet_from",
    "quiet_until",
    "critical_at_once",
)


def _initial(route: Route) -> dict[str, Any]:
    own = {name: getattr(route, name) for name in (*_OWN, "cost_centre")}
    own["channels"] = [each.pk for each in route.channels.all()]
    own["roles"] = [each.role for each in route.recipients.all() if each.role]
    own["persons"] = [each.person_id for each in route.recipients.all() if each.person_id]
    for number, step in zip(_STEPS, route.steps.all(), strict=False):
        own |= {f"minutes_{number}": step.after_minutes, f"channel_{number}": str(step.target)}
    return own


def _add(subject: None, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    route = alerts.add_route(alerts.RouteTerms(**asked), actor=actor, now=now)
    return f"The route {route.name} was added."


def _change(route: Route, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    alerts.change_route(route.pk, alerts.RouteTerms(**asked), actor=actor, now=now)
    return "The route was changed."


def _switch(service: Callable[..., object], done: str) -> Perform:
    def perform(route: Route, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
        service(route.pk, actor=actor, now=now)
        return done.format(route.name)

    return perform


ADD = Act(
    name="add",
    button="Add route",
    about="Alerts that match a route go to its channels only. What no route matches goes to every "
    "channel that wants it.",
    permission=_CHANGE,
    form=RouteForm,
    perform=_add,
)
ROUTE_ACTS = (
    Act(
        name="change",
        button="Change",
        about="This is about alerts that are raised from now on.",
        permission=_CHANGE,
        form=RouteForm,
        perform=_change,
    ),
    Act(
        name="disable",
        button="Disable",
        about="No further alert goes by this route. What waits by it is still sent.",
        permission=_CHANGE,
        form=NoQuestions,
        perform=_switch(alerts.disable_route, "{} is disabled."),
        applies=lambda route: route.disabled_at is None,
    ),
    Act(
        name="enable",
        button="Enable",
        about="Alerts that are raised from now on go by this route.",
        permission=_CHANGE,
        form=NoQuestions,
        perform=_switch(alerts.enable_route, "{} is enabled."),
        applies=lambda route: route.disabled_at is not None,
    ),
)
