"""Admin actions that ask before they act: their forms, and what comes after the confirmation.

django-unfold opens the dialog and sends its form by POST, with htmx.
"""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from common.refusal import Refusal


def reason_field(**options: Any) -> forms.CharField:
    """The field in which the user says why; the audit log keeps it."""
    return forms.CharField(
        label="Reason",
        max_length=300,
        widget=UnfoldAdminTextInputWidget(),
        help_text="The history keeps it with your name.",
        **options,
    )


class ReasonForm(BaseDialogForm):
    """Asks for a reason."""

    reason = reason_field()


class NoteForm(BaseDialogForm):
    """Asks for a note, which may be empty."""

    note = forms.CharField(
        required=False, max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )


def perform(request: HttpRequest, verb: Callable[[], object], *, success: str) -> bool:
    """Call `verb` and show `success`, or show why it refused; whether it succeeded."""
    try:
        verb()
    except Refusal as refusal:
        messages.error(request, refusal.detail)
        return False
    if success:
        messages.success(request, success)
    return True


def redirect_to(request: HttpRequest, url: str) -> HttpResponse:
    """A redirect that htmx follows, too: it sent the dialog's form."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def dialog_response(request: HttpRequest, template: str, **context: object) -> HttpResponse:
    """A response that replaces the dialog and that the browser does not keep."""
    response = render(request, template, context)
    response.headers["Cache-Control"] = "no-store"
    # Without these headers, the dialog's form would put a part of the response into itself.
    response.headers["HX-Retarget"] = response.headers["HX-Reselect"] = "#dialog"
    response.headers["HX-Reswap"] = "outerHTML"
    return response
