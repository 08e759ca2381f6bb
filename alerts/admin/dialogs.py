"""Actions that ask before they do something: by POST, in a dialog of django-unfold."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from common.refusal import Refusal


class NoteForm(BaseDialogForm):
    """Asks for a note, which may be empty."""

    note = forms.CharField(
        required=False, max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )


def carried_out(request, verb, *, done: str) -> bool:
    """Call `verb`; say `done`, or what it refuses with."""
    try:
        verb()
    except Refusal as refusal:
        messages.error(request, refusal.detail)
        return False
    if done:
        messages.success(request, done)
    return True


def went_to(request, url: str) -> HttpResponse:
    """A redirect, also for the dialog, which is sent by htmx."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)
