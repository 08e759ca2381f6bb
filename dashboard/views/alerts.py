"""Alerts: the inbox and the page of one, with what people may do to one or to many."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from alerts.models import Alert
from common import formatting
from common.admin.visible_rows import visible_to
from dashboard import live, organisation, tables
from dashboard.alerts.acts import Act, Outcome, acts_at, find_act, perform_each
from dashboard.alerts.alerts_table import alerts_table
from dashboard.alerts.detail import detail
from dashboard.alerts.forms import ActForm
from dashboard.alerts.inbox import PAGE_ALERTS, InboxQuery, inbox, inbox_query
from dashboard.changed_url import changed_url
from dashboard.exports import exported
from security.request_actor import person_of

tables.register("alerts", alerts_table, permission="alerts.view_alert")
_METHODS = ["GET", "HEAD", "POST"]
_OF_DIALOG = ("act", "alert", "select")
_DIGITS_MAX = 18
_SAID = 5


class Dialog(NamedTuple):
    """An act on chosen alerts, and what its dialog asks; closed, it leads back to its page."""

    act: Act
    chosen: list[Alert]
    form: ActForm
    back: str


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("alerts.view_alert", raise_exception=True)
@exported("alerts")
def alerts(request: HttpRequest) -> HttpResponse:
    """GET /alerts: those at a stage; `act` opens the dialog of an act on each `alert`. POST: do
    it."""
    chosen = _ids(request.GET.getlist("alert"))
    dialog = _dialog(request, chosen)
    if done := _answer(request, dialog):
        return done
    if request.GET.get("act") and not chosen:
        messages.warning(request, "Select at least one alert first.")
    asked = inbox_query(request.GET)
    context = {
        **inbox(request.user, asked, now=timezone.now()),
        **_links(request, asked),
        "acts": acts_at(request.user, asked.stage),
        "chosen": chosen,
        "dialog": dialog,
        "is_live": not request.GET,
    }
    return render(request, "dashboard/alerts/list.html", context)


def _fragments(request: HttpRequest, now: datetime) -> str:
    """Which alerts the page would list now: those that it shows stay where they are."""
    context = inbox(request.user, InboxQuery(), now=now)
    return render_to_string("dashboard/live/alerts.html", context, request)


live.register("alerts", permission="alerts.view_alert", fragments=_fragments)


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("alerts.view_alert", raise_exception=True)
def alert(request: HttpRequest, alert_id: int) -> HttpResponse:
    """GET /alerts/<id>: the page; `act` opens the dialog of an act. POST: do it."""
    found = get_object_or_404(visible_to(request.user, Alert.objects.all()), pk=alert_id)
    dialog = _dialog(request, [found.pk])
    if done := _answer(request, dialog):
        return done
    now = timezone.now()
    context = {
        **detail(request.user, found, now=now),
        "acts": acts_at(request.user, found.stage_at(now)),
        "dialog": dialog,
        "now": now,
    }
    return render(request, "dashboard/alerts/detail.html", context)


def _links(request: HttpRequest, asked: InboxQuery) -> dict[str, Any]:
    """Where the links of the list lead."""

    def url(**changes: str) -> str:
        return changed_url(request, changes, without=_OF_DIALOG)

    selects_all = request.GET.get("select") == "all"
    return {
        "selects_all": selects_all,
        "select_url": url() if selects_all else url(select="all"),
        "first_url": url() if asked.after else "",
        "next_url": url(after=str(asked.after + PAGE_ALERTS)),
        "csv_url": url(format="csv", excel="1"),
        "xlsx_url": url(format="xlsx"),
    }


def _ids(texts: Iterable[str]) -> list[int]:
    """The ids that parameters name; what is none is left out."""
    return [
        int(text)
        for text in texts
        if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
    ][:PAGE_ALERTS]


def _dialog(request: HttpRequest, alert_ids: list[int]) -> Dialog | None:
    """The dialog that is asked for, if the person may do it to one of the alerts."""
    act = find_act(request.user, request.GET.get("act", ""))
    chosen = visible_to(request.user, Alert.objects.filter(pk__in=alert_ids)).order_by("pk")
    if act is None or not chosen:
        return None
    form = act.form(
        request.POST if request.method == "POST" else None,
        zone=organisation.zone(request),
        now=timezone.now(),
    )
    return Dialog(act, list(chosen), form, changed_url(request, {}, without=_OF_DIALOG))


def _answer(request: HttpRequest, dialog: Dialog | None) -> HttpResponse | None:
    """Do what a form that was sent asks for, and lead back; None if there is nothing to do."""
    if request.method != "POST":
        return None
    if dialog is None:
        raise PermissionDenied
    if not dialog.form.is_valid():
        return None
    outcome = perform_each(
        dialog.act,
        dialog.chosen,
        dialog.form.cleaned_data,
        actor=person_of(request),
        zone=organisation.zone(request),
        now=timezone.now(),
    )
    _say(request, dialog.act, outcome)
    return redirect(f"{request.path}{dialog.back}")


def _say(request: HttpRequest, act: Act, outcome: Outcome) -> None:
    changed, refused = outcome
    if changed:
        what = changed[0].title if len(changed) == 1 else formatting.count(len(changed), "alert")
        messages.success(request, f"{act.done}: {what}.")
    for sentence in refused[:_SAID]:
        messages.warning(request, sentence)
    if len(refused) > _SAID:
        messages.warning(request, f"{len(refused) - _SAID} more were not changed.")
