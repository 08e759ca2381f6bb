"""Buttons on the pages of users: invite, set access, switch off and on."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminTextInputWidget,
)

from common import links
from common.admin.dialogs import ReasonForm, dialog_response, perform, reason_field, redirect_to
from common.admin.lists import QuickList
from common.refusal import Refusal
from gate import queries, roles, services
from gate.access import Access
from gate.invitations import invitation_url
from keys.models import CostCentre
from security.reauthentication import reauthenticated
from security.request_actor import person_of


def _role_choices() -> list[tuple[str, str]]:
    return [(role.name, f"{role.name}: {role.meaning}") for role in roles.roles().values()]


class _AccessForm(BaseDialogForm):
    """Asks for roles and cost centres, beginning with those the person has."""

    roles = forms.MultipleChoiceField(
        required=False, choices=_role_choices, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    centres = forms.ModelMultipleChoiceField(
        CostCentre.objects.open(),
        label="Cost centres",
        required=False,
        widget=UnfoldAdminSelectMultipleWidget,
        help_text="The person sees and changes only these and those below them. If none is "
        "chosen, the person sees all cost centres.",
    )

    def __init__(self, request: HttpRequest, object_id: Any = None, **kwargs: Any) -> None:
        super().__init__(request, object_id, **kwargs)
        if person := _person(object_id):
            access = queries.access_of(person)
            self.initial |= {"roles": sorted(access.roles), "centres": sorted(access.centres)}
            centres: Any = self.fields["centres"]
            centres.queryset = CostCentre.objects.open(kept=access.centres)

    @property
    def access(self) -> Access:
        """The entered access."""
        return Access(
            frozenset(self.cleaned_data["roles"]),
            frozenset(centre.pk for centre in self.cleaned_data["centres"]),
        )


class AccessForm(_AccessForm):
    """Asks for the access of an existing person."""

    reason = reason_field()


class InviteForm(_AccessForm):
    """Asks who is invited, too."""

    username = forms.CharField(
        max_length=150,
        validators=[User.username_validator],
        widget=UnfoldAdminTextInputWidget(),
        help_text="Letters, digits and @ . + - _ only.",
    )
    email = forms.EmailField(required=False, widget=UnfoldAdminEmailInputWidget())
    field_order = ("username", "email", "roles", "centres")


_INVITE = {
    "title": "Invite a person",
    "description": "Butler shows a link once, right after this. With it the person sets a password "
    "within three days.",
    "form_class": InviteForm,
    "form_submit_text": "Invite",
}
_AGAIN = {
    "title": "Make a new link for this person",
    "description": "Butler shows a link once, right after this. With it the person sets a new "
    "password.",
    "form_submit_text": "Make a link",
}
_ACCESS = {
    "title": "Set the access of this person",
    "description": "The roles and cost centres apply from the next click of the person.",
    "form_class": AccessForm,
}
_OFF = {
    "title": "Switch this person off",
    "description": "All sessions of the person end now, and the person can no longer sign in.",
    "form_class": ReasonForm,
}
_ON = {
    "title": "Switch this person on",
    "description": "The person can sign in again, with the same roles.",
    "form_class": ReasonForm,
}


class PeopleActions(QuickList):
    """For users with the permission to manage people. Only superusers manage superusers."""

    actions_list = ("invite",)
    actions_detail = ("set_access", "invite_again", "switch_off", "switch_on")

    def has_manage_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the user may manage people, and this one (a user or the id of one)."""
        person = obj if isinstance(obj, User) else _person(obj)
        return queries.may_manage(request.user, person)

    def has_relink_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the user may set this person's password: only if the person may do no more."""
        person = _person(obj)
        return self.has_manage_permission(request, person) and (
            person is None or queries.may_do_as_much(request.user, person)
        )

    @action(description="Invite", permissions=["manage"], dialog=_INVITE)
    @reauthenticated
    def invite(self, request: HttpRequest, form: InviteForm) -> HttpResponse:
        """Add the person and show the link in this response only."""
        try:
            person = services.invite(
                form.cleaned_data["username"],
                email=form.cleaned_data["email"],
                access=form.access,
                actor=person_of(request),
                now=timezone.now(),
            )
        except Refusal as refusal:
            return dialog_response(request, "gate/not_invited.html", detail=refusal.detail)
        return _show_link(request, person)

    @action(description="New link", permissions=["relink"], dialog=_AGAIN)
    @reauthenticated
    def invite_again(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """Show a new link in this response only."""
        person = services.invite_again(
            User.objects.get(pk=object_id), actor=person_of(request), now=timezone.now()
        )
        return _show_link(request, person)

    @action(description="Set access", permissions=["manage"], dialog=_ACCESS)
    @reauthenticated
    def set_access(self, request: HttpRequest, form: AccessForm, object_id: str) -> HttpResponse:
        """Set roles and cost centres."""
        verb = partial(services.set_access, access=form.access)
        return self._perform(request, form, object_id, verb, "The access was set.")

    @action(description="Switch off", permissions=["manage"], dialog=_OFF)
    def switch_off(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """Switch the person off."""
        verb = services.switch_off
        return self._perform(request, form, object_id, verb, "The person is switched off.")

    @action(description="Switch on", permissions=["manage"], dialog=_ON)
    def switch_on(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Switch the person on."""
        verb = services.switch_on
        return self._perform(request, form, object_id, verb, "The person is switched on.")

    def _perform(
        self,
        request: HttpRequest,
        form: BaseDialogForm,
        object_id: str,
        service: Callable[..., object],
        success: str,
    ) -> HttpResponse:
        call = partial(
            service,
            User.objects.get(pk=object_id),
            reason=form.cleaned_data["reason"],
            actor=person_of(request),
            now=timezone.now(),
        )
        perform(request, call, success=success)
        return redirect_to(request, links.url("managed_user", object_id))


def _person(object_id: Any) -> User | None:
    """The person of an address, which may name anything."""
    return User.objects.filter(pk=object_id).first() if str(object_id).isdecimal() else None


def _show_link(request: HttpRequest, person: User) -> HttpResponse:
    return dialog_response(request, "gate/invited.html", person=person, link=invitation_url(person))
