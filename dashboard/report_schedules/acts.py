"""What a person may do to their scheduled reports."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Q

from alerts.models import Channel
from alerts.models.channel import WEBHOOK_SCHEMES
from common import links
from dashboard.acts import Act, NoQuestions, Outcome, Perform
from dashboard.exports.scheduled import FOCUS
from gate.queries import bindings
from keys.limits.periods import check_zone
from reports import services as reports
from reports.models import ReportSchedule, SavedView
from security.actor import Actor

# Pages that keep views and have a table of the same name.
_PAGES = ("spend", "budgets", "charges", "statements", "keys", "agents", "alerts")
_PLAIN = {
    "spend": ("spend", "Spend of this month"),
    "budgets": ("budgets", "Budgets"),
    "statements": ("statements", "Statements of the latest closed month"),
    FOCUS: ("focus_file", "The last whole month for cost tools (FOCUS)"),
}
# The report of a schedule that changes in other ways.
_SAME = "same"
_DAYS = {"weekly": (1, 7), "monthly": (1, 28)}


def _reports(user: Any) -> Iterator[tuple[str, str]]:
    """The reports that the person may schedule: these pages, and own views of pages."""
    yield from ((name, label) for name, (_, label) in _PLAIN.items())
    for view in SavedView.objects.filter(owner=user, page__in=_PAGES):
        yield f"view:{view.pk}", f"Saved view: {view.name}"


def _webhooks(user: Any) -> Any:
    """The signed webhooks that the person may choose."""
    may = user.has_perm("alerts.view_channel") and not bindings(user)
    enabled = Channel.objects.enabled().filter(service__in=WEBHOOK_SCHEMES)
    return enabled if may else Channel.objects.none()


class ScheduleForm(NoQuestions):
    """Asks for what is sent, when and to whom."""

    name = forms.CharField(max_length=100, help_text="The subject of its messages.")
    report = forms.ChoiceField()
    file_format = forms.ChoiceField(label="File", choices=[("csv", "CSV"), ("xlsx", "Excel")])
    frequency = forms.ChoiceField(label="How often", choices=ReportSchedule.Frequency.choices)
    on_day = forms.IntegerField(
        label="Day",
        required=False,
        min_value=1,
        max_value=28,
        help_text="Weekly: 1 (Monday) to 7. Monthly: 1 to 28. Blank for a daily report.",
    )
    hour = forms.IntegerField(min_value=0, max_value=23, initial=7)
    zone = forms.CharField(
        label="Time zone",
        max_length=64,
        required=False,
        help_text="An IANA time zone, such as Europe/Berlin. Blank: the reporting zone.",
    )
    to = forms.CharField(
        label="To",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="User names, one a line. A person gets a report only if they may see all of it.",
    )
    channel = forms.ModelChoiceField(
        Channel.objects.none(), label="Webhook", required=False, empty_label="None"
    )

    def __init__(self, subject: User, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {"to": subject.get_username(), "hour": 7}
        super().__init__(subject, *args, **kwargs)
        self.fields["report"].choices = list(_reports(subject))  # type: ignore[attr-defined]
        self.fields["channel"].queryset = _webhooks(subject)  # type: ignore[attr-defined]

    def clean_zone(self) -> str:
        """A zone that exists, or none."""
        zone: str = self.cleaned_data["zone"]
        try:
            if zone:
                check_zone(zone)
        except ValueError as error:
            raise ValidationError(str(error)) from None
        return zone

    def clean_to(self) -> list[User]:
        """The persons."""
        names = {*self.cleaned_data["to"].replace(",", "\n").split()}
        people = get_user_model().objects.filter(
            ~Q(email=""), username__in=names, is_staff=True, is_active=True
        )
        found = {person.get_username() for person in people}
        if unknown := sorted(names - found):
            raise ValidationError(f"{unknown[0]} is not a person here who has an e-mail address.")
        return list(people)

    def clean(self) -> dict[str, Any]:
        """The terms of the schedule."""
        asked = self.cleaned_data
        if not asked.get("to") and not asked.get("channel") and "to" not in self.errors:
            self.add_error("to", "Name a person or choose a webhook.")
        bounds, day = _DAYS.get(asked.get("frequency", "")), asked.get("on_day")
        if bounds and (day is None or not bounds[0] <= day <= bounds[1]):
            self.add_error("on_day", f"Use a day from {bounds[0]} to {bounds[1]}.")
        return asked


def _terms(
    user: User, asked: dict[str, Any], schedule: ReportSchedule | None = None
) -> dict[str, Any]:
    """The fields of a row; `schedule`: the one that changes."""
    frequency, day = asked["frequency"], asked["on_day"]
    if schedule and asked["report"] == _SAME:
        table, path, query = schedule.table, schedule.path, schedule.query
    else:
        table, path, query = _target(user, asked["report"])
    on_day = {"daily": None, "weekly": (day or 1) - 1, "monthly": day}[frequency]
    return {
        "name": asked["name"],
        "table": table,
        "path": path,
        "query": query,
        "file_format": "csv" if table == FOCUS else asked["file_format"],
        "frequency": frequency,
        "on_day": on_day,
        "hour": asked["hour"],
        "zone": asked["zone"],
        "channel": asked["channel"],
    }


def _target(user: User, report: str) -> tuple[str, str, str]:
    """The table, path and query of a report of `_reports`."""
    if report in _PLAIN:
        return report, links.url(_PLAIN[report][0]), ""
    view = SavedView.objects.get(owner=user, pk=report.partition(":")[2])
    return view.page, links.url(view.page), view.query


def _add(user: User, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    schedule = reports.add_schedule(
        owner=user, persons=asked["to"], terms=_terms(user, asked), actor=actor, now=now
    )
    return f"{schedule.name} will be sent."


class ChangeForm(ScheduleForm):
    """Asks the same of a scheduled report that is there, and is filled in with what it is."""

    def __init__(self, subject: ReportSchedule, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject.owner, *args, **kwargs)
        report: Any = self.fields["report"]
        report.choices = [(_SAME, f"As it is: {subject.table}"), *report.choices]
        day = subject.on_day
        was: dict[str, Any] = {
            "name": subject.name,
            "report": _SAME,
            "file_format": subject.file_format,
            "frequency": subject.frequency,
            "on_day": day + 1 if day is not None and subject.frequency == "weekly" else day,
            "hour": subject.hour,
            "zone": subject.zone,
            "to": "\n".join(sorted(each.get_username() for each in subject.persons.all())),
            "channel": subject.channel_id,
        }
        self.initial.update(was)


def _change(
    schedule: ReportSchedule, asked: dict[str, Any], actor: Actor, now: datetime
) -> Outcome:
    terms = _terms(schedule.owner, asked, schedule)
    changed = reports.change_schedule(
        schedule, persons=asked["to"], terms=terms, actor=actor, now=now
    )
    return f"{changed.name} is changed."


def _perform(service: Callable[..., object], done: str) -> Perform:
    def perform(
        subject: ReportSchedule, asked: dict[str, Any], actor: Actor, now: datetime
    ) -> Outcome:
        service(subject, actor=actor, now=now)
        return done

    return perform


ADD = Act(
    name="add",
    button="Schedule a report",
    about="It shows what you may see at the moment at which it is sent.",
    form=ScheduleForm,
    perform=_add,
)
ACTS = [
    Act(
        name="run",
        button="Send now",
        about="It is sent to everyone who gets it, besides its schedule.",
        form=NoQuestions,
        perform=_perform(reports.run_schedule, "It is sent within a minute."),
    ),
    Act(
        name="test",
        button="Send a test",
        about="It is sent to you alone.",
        form=NoQuestions,
        perform=_perform(reports.test_schedule, "It is sent to you within a minute."),
    ),
    Act(
        name="change",
        button="Change",
        about="What is being sent stays as it began. The next one is sent as you say here.",
        form=ChangeForm,
        perform=_change,
    ),
    Act(
        name="pause",
        button="Pause",
        about="Nothing is sent until you resume it.",
        form=NoQuestions,
        perform=_perform(reports.pause_schedule, "It is paused."),
        applies=lambda schedule: schedule.paused_at is None,
    ),
    Act(
        name="resume",
        button="Resume",
        about="It is sent at its next moment. What was missed is not sent.",
        form=NoQuestions,
        perform=_perform(reports.resume_schedule, "It is sent again."),
        applies=lambda schedule: schedule.paused_at is not None,
    ),
    Act(
        name="delete",
        button="Delete",
        about="Nothing more is sent, and its history is deleted with it. Pause it to keep both.",
        form=NoQuestions,
        perform=_perform(reports.delete_schedule, "The scheduled report is deleted."),
    ),
]
