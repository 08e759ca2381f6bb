"""Ask for more budget: the page to which every refusal for lack of budget leads."""

from datetime import datetime

from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from common import links
from common.refusal import Refusal
from dashboard import organisation
from dashboard.budgets.ask import AskForm, PreviewForm, first_values, meters_to_raise
from gate import services as gate
from keys.books.queries.pages import Meter
from security.models import Approval
from security.request_actor import person_of

_TEMPLATE = "dashboard/budgets/ask.html"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required(("keys.view_window", "keys.request_budget"), raise_exception=True)
def ask_budget(request: HttpRequest) -> HttpResponse:
    """GET /budget-requests/new: the form, filled in as the link says, with its effect in figures.
    POST: the effect of other values, or, once it was shown, the request."""
    if not request.GET.get("scope") and not request.GET.get("session"):
        return redirect(links.url("budgets"))
    now, zone = timezone.now(), organisation.zone(request)
    meters = meters_to_raise(request.user, request.GET, now=now)
    with timezone.override(zone):
        return _page(request, meters, now) if meters else render(request, _TEMPLATE)


def _page(request: HttpRequest, meters: list[Meter], now: datetime) -> HttpResponse:
    """The page in the reporting zone; or send what it asks, if its effect was shown."""
    is_sent = request.method == "POST"
    values = request.POST if is_sent else first_values(meters, request.GET, now=now)
    form_class = AskForm if is_sent and "show" not in request.POST else PreviewForm
    form = form_class(meters, values, now=now)
    effect = form.effect()
    is_asked = form_class is AskForm and form.is_valid()
    if is_asked and form.is_shown and (approval := _ask(request, form)):
        messages.success(request, "Your request is sent. You see here what becomes of it.")
        return redirect(links.url("approval", approval.pk))
    context = {
        "form": form,
        "effect": effect,
        "rule": form.rule() if effect else "",
        "is_unseen": is_asked and not form.is_shown,
        "about": meters[0].scope,
    }
    return render(request, _TEMPLATE, context)


def _ask(request: HttpRequest, form: AskForm) -> Approval | None:
    """The request that was sent; a refusal is said beside its field."""
    try:
        approval, _ = gate.ask_for_budget(
            form.request(),
            idempotency_key=form.cleaned_data["key"],
            actor=person_of(request),
            now=form.now,
        )
    except Refusal as refusal:
        form.say(refusal)
        return None
    return approval
