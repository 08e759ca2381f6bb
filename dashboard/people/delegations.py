"""How a deputy is named and revoked: by the person who is away, or by who may for others."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.auth.models import User
from django.utils import timezone

from common.admin.visible_rows import visible_to
from dashboard.acts import Act, ActForm, Outcome
from keys.identity.queries.organisation import organisation
from keys.models import CostCentre
from security import services as security
from security.actor import Actor
from security.delegations import delegations_of
from security.models import Delegation

_DAY = timedelta(days=1)


class DeputyForm(ActForm):
    """Asks who decides in the place of the person, on which days and for what."""

    deputy = forms.ModelChoiceField(
        User.objects.filter(is_active=True, is_staff=True).order_by("username"),
        help_text="Decides approvals in the place of the absent person, and passes nothing on.",
    )
    first_day = forms.DateField(
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text="From the start of this day in the reporting zone, or from now on.",
    )
    last_day = forms.DateField(
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text="To the end of this day. Then it ends by itself.",
    )
    cost_centre = forms.ModelChoiceField(
        CostCentre.objects.none(),
        required=False,
        empty_label="all",
        help_text="Only approvals of this cost centre and those below it.",
    )
    field_order = ("deputy", "first_day", "last_day", "cost_centre", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        people: Any = self.fields["deputy"]
        people.queryset = people.queryset.exclude(pk=subject.pk)
        centres: Any = self.fields["cost_centre"]
        centres.queryset = visible_to(subject, CostCentre.objects.open()).order_by("path")
        self.zone = ZoneInfo(organisation().reporting_zone)
        self.fields["first_day"].initial = timezone.now().astimezone(self.zone).date()

    def clean(self) -> dict[str, Any]:
        """The days as moments in the reporting zone."""
        asked: dict[str, Any] = super().clean() or {}
        if asked.get("first_day") and asked.get("last_day"):
            asked["starts_at"] = self._start(asked["first_day"])
            try:
                asked["ends_at"] = self._start(asked["last_day"] + _DAY)
            except OverflowError:
                self.add_error("last_day", "Choose an earlier day.")
        return asked

    def _start(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone)


def _name(absent: User, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    centre = asked["cost_centre"]
    terms = security.DelegationTerms(
        starts_at=asked["starts_at"],
        ends_at=asked["ends_at"],
        cost_centre=centre.pk if centre else "",
    )
    deputy = asked["deputy"]
    security.name_deputy(absent, deputy, terms=terms, reason=asked["reason"], actor=actor, now=now)
    return f"{deputy.username} decides for {absent.username} in that time."


NAME = Act(
    name="deputy",
    button="Name a deputy",
    about="The deputy decides approvals and budget requests that this person may decide, but none "
    "that one of the two asked for. Each decision counts for both.",
    form=DeputyForm,
    perform=_name,
)


def delegation_lines(
    user: Any, person: User, *, now: datetime
) -> list[tuple[Delegation, str, Act | None]]:
    """The delegations of the person that are not over, with their stage, and the act that revokes
    each if `user` may."""
    may = user.pk == person.pk or may_name(user, person)
    return [
        (each, each.stage(now), _revoke(each) if may and each.absent_id == person.pk else None)
        for each in delegations_of(person, now=now)
    ]


def deputy_acts(
    user: Any, person: User, lines: Sequence[tuple[Delegation, str, Act | None]]
) -> list[Act]:
    """What `user` may do about the deputies of the person."""
    if user.pk != person.pk and not may_name(user, person):
        return []
    return [NAME, *(act for _, _, act in lines if act)]


def may_name(user: Any, person: User) -> bool:
    """Whether `user` may name deputies of this other person; the service says so, too."""
    may: bool = user.has_perm(security.NAME_DEPUTIES)
    return may and (user.is_superuser or not person.is_superuser)


def _revoke(delegation: Delegation) -> Act:
    def perform(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
        security.revoke_delegation(delegation.pk, reason=asked["reason"], actor=actor, now=now)
        return f"{delegation.deputy.username} no longer decides for {delegation.absent.username}."

    return Act(
        name=f"revoke-{delegation.pk}",
        button="Revoke",
        about=f"{delegation.deputy.username} decides nothing more for "
        f"{delegation.absent.username}. What was decided stays decided.",
        perform=perform,
    )
