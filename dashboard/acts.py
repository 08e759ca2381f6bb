"""What people may do on the page of a row: each act is a dialog there, and calls one service."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.html import format_html

from common import links
from common.refusal import Refusal
from security.actor import Actor
from security.models import Approval
from security.reauthentication import confirmation_url, is_recent
from security.request_actor import person_of

# What came of an act: the approval that it waits for, or a sentence.
Outcome = Approval | str
Perform = Callable[[Any, dict[str, Any], Actor, datetime], Outcome]
# The fields that a link to a dialog may fill in.
_IN_LINKS = ("limit", "token", "kind", "saving", "experiment")


class ActForm(forms.Form):
    """Asks why; the history keeps the reason."""

    reason = forms.CharField(max_length=300, help_text="The history keeps it with your name.")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class NoQuestions(forms.Form):
    """Asks nothing."""

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


@dataclass(frozen=True, kw_only=True)
class Act:
    """An act: the button that leads to its dialog, what the dialog says, and the service.

    `permission`: who may do it; blank where the page decides that in another way.
    `is_confirmed`: whether the person gives a password or second factor right before it.
    """

    name: str
    button: str
    about: str
    perform: Perform
    permission: str = ""
    form: type[ActForm | NoQuestions] = ActForm
    applies: Callable[[Any], bool] = lambda subject: True
    is_confirmed: bool = False

    def is_for(self, user: Any, subject: Any) -> bool:
        """Whether the person may do it, and the subject is such that it does something."""
        return (not self.permission or user.has_perm(self.permission)) and self.applies(subject)


class Dialog(NamedTuple):
    """The dialog of an act, which is open on the page."""

    act: Act
    form: forms.Form


def opened_dialog(request: HttpRequest, acts: Iterable[Act], subject: Any) -> Dialog | None:
    """The dialog of the one of `acts` that the parameter `act` names; filled in if it was sent."""
    act = next((each for each in acts if each.name == request.GET.get("act")), None)
    if act is None:
        return None
    if request.method == "POST":
        return Dialog(act, act.form(subject, request.POST, request.FILES))
    initial = {name: request.GET[name] for name in _IN_LINKS if name in request.GET}
    return Dialog(act, act.form(subject, initial=initial))


def confirmation(request: HttpRequest, dialog: Dialog) -> HttpResponse | None:
    """Where a person who signed in long ago confirms first, before a dialog that asks for it.

    It leads back to the dialog. What was typed is lost if the time ended before it was sent.
    """
    if not dialog.act.is_confirmed or is_recent(request):
        return None
    messages.warning(request, "Confirm that it is you, then do this.")
    return redirect(confirmation_url(request.get_full_path()))


def performed(request: HttpRequest, dialog: Dialog, subject: Any) -> bool:
    """Do what the dialog asks and say what came of it; a refusal is said beside its field."""
    act, form = dialog
    if not form.is_valid():
        return False
    try:
        outcome = act.perform(subject, form.cleaned_data, person_of(request), timezone.now())
    except Refusal as refusal:
        refused(dialog, refusal)
        return False
    _say(request, outcome)
    return True


def refused(dialog: Dialog, refusal: Refusal) -> None:
    """Say the refusal beside the field that it is about, or above all of them."""
    field = getattr(refusal, "field", None)
    dialog.form.add_error(field if field in dialog.form.fields else None, refusal.detail)


def _say(request: HttpRequest, outcome: Outcome) -> None:
    if isinstance(outcome, Approval):
        url = links.url("approval", outcome.pk)
        text = 'A second person must approve this change. It waits as <a href="{}">approval {}</a>.'
        messages.warning(request, format_html(text, url, outcome.pk))
    else:
        messages.success(request, outcome)
