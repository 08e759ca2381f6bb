"""What people may do to the access of others."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth.models import User

from dashboard.acts import Act, ActForm, Outcome
from gate import queries, roles, services
from gate.access import Access
from keys.models import CostCentre
from security.actor import Actor

MANAGE = "gate.manage_people"


def _role_choices() -> list[tuple[str, str]]:
    return [(role.name, f"{role.name}: {role.meaning}") for role in roles.roles().values()]


class AccessForm(ActForm):
    """Asks for roles and cost centres, beginning with those that the person has."""

    roles = forms.MultipleChoiceField(
        required=False, choices=_role_choices, widget=forms.CheckboxSelectMultiple
    )
    centres = forms.ModelMultipleChoiceField(
        CostCentre.objects.open().order_by("path"),
        label="Cost centres",
        required=False,
        widget=forms.SelectMultiple(attrs={"size": 5}),
        help_text="The person sees and changes only these and those below them. If none is "
        "chosen, the person sees all cost centres.",
    )
    field_order: tuple[str, ...] = ("roles", "centres", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        if isinstance(subject, User):
            access = queries.access_of(subject)
            self.initial["roles"] = sorted(access.roles)
            self.initial["centres"] = sorted(access.centres)
            centres: Any = self.fields["centres"]
            centres.queryset = CostCentre.objects.open(kept=access.centres).order_by("path")


class InviteForm(AccessForm):
    """Asks who is invited, too."""

    username = forms.CharField(
        max_length=150,
        validators=[User.username_validator],
        help_text="Letters, digits and @ . + - _ only.",
    )
    email = forms.EmailField(label="E-mail", required=False)
    field_order = ("username", "email", "roles", "centres", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(None, *args, **kwargs)


def _access(asked: dict[str, Any]) -> Access:
    return Access(frozenset(asked["roles"]), frozenset(each.pk for each in asked["centres"]))


def invite(asked: dict[str, Any], actor: Actor, now: datetime) -> User:
    """The person who was invited and has no password yet. Refusal: PersonExists."""
    return services.invite(
        asked["username"],
        email=asked["email"],
        access=_access(asked),
        reason=asked["reason"],
        actor=actor,
        now=now,
    )


def invite_again(person: User, asked: dict[str, Any], actor: Actor, now: datetime) -> User:
    """The same person, who gets a new link."""
    return services.invite_again(person, reason=asked["reason"], actor=actor, now=now)


def _set_access(person: User, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    services.set_access(person, access=_access(asked), reason=asked["reason"], actor=actor, now=now)
    return f"The access of {person.username} is set. It counts from the next click."


def _switch_off(person: User, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    services.switch_off(person, reason=asked["reason"], actor=actor, now=now)
    return f"{person.username} is switched off and signed out everywhere."


def _switch_on(person: User, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    services.switch_on(person, reason=asked["reason"], actor=actor, now=now)
    return f"{person.username} is switched on."


def _sign_out(person: User, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    services.sign_out_everywhere(person, reason=asked["reason"], actor=actor, now=now)
    return f"{person.username} is signed out everywhere."


def _by_the_page(*args: Any) -> Outcome:
    raise AssertionError("The page does it, since its answer shows the link once.")


INVITE = Act(
    name="invite",
    button="Invite",
    about="Butler shows a link once, right after this. With it the person sets a password within "
    "three days.",
    permission=MANAGE,
    form=InviteForm,
    perform=_by_the_page,
    is_confirmed=True,
)
INVITE_AGAIN = Act(
    name="link",
    button="New link",
    about="Butler shows a link once, right after this. With it the person sets a new password.",
    permission=MANAGE,
    perform=_by_the_page,
    is_confirmed=True,
)
ACTS = (
    Act(
        name="access",
        button="Set access",
        about="The roles and cost centres count from the next click of the person.",
        permission=MANAGE,
        form=AccessForm,
        perform=_set_access,
        is_confirmed=True,
    ),
    INVITE_AGAIN,
    Act(
        name="sign-out",
        button="Sign out everywhere",
        about="All sessions of the person end now. The person can sign in again.",
        permission=MANAGE,
        perform=_sign_out,
    ),
    Act(
        name="off",
        button="Switch off",
        about="All sessions of the person end now, and the person can no longer sign in.",
        permission=MANAGE,
        perform=_switch_off,
        applies=lambda person: person.is_active,
    ),
    Act(
        name="on",
        button="Switch on",
        about="The person can sign in again, with the same roles.",
        permission=MANAGE,
        perform=_switch_on,
        applies=lambda person: not person.is_active,
    ),
)
