"""Admin actions that ask before they do something: what comes after the answer."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect

from common.refusal import Refusal


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
