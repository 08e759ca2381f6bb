"""Channels: the list, and the page of one with what people may do to it."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from alerts import queries
from alerts import services as alerts
from alerts.models import Channel
from common import links
from common.admin.visible_rows import visible_to
from common.refusal import Refusal
from dashboard import tables
from dashboard.acts import Dialog, opened_dialog, performed
from dashboard.alerts.channel_acts import ADD, CHANNEL_ACTS, ROTATE, TEST
from dashboard.alerts.channels_table import channels_table, gets, service, state
from dashboard.alerts.deliveries_table import as_uuid
from dashboard.exports import exported
from keys.books.queries.pages import latest_history
from security.audit_changes import changes
from security.request_actor import person_of

tables.register("channels", channels_table, permission="alerts.view_channel")
_METHODS = ["GET", "HEAD", "POST"]
_SHOWN = 10


@never_cache
@sensitive_post_parameters("url")
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("alerts.view_channel", raise_exception=True)
@exported("channels")
def channels(request: HttpRequest) -> HttpResponse:
    """GET /alerts/channels: the list; `act=add` opens the dialog. POST: add a channel."""
    acts = [ADD] if ADD.is_for(request.user, None) else []
    dialog = opened_dialog(request, acts, None)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if done := _add(request, dialog):
            return done
    context = {
        "table": channels_table(request.user, request.GET, timezone.now()),
        "acts": acts,
        "dialog": dialog,
    }
    return render(request, "dashboard/alerts/channels.html", context)


@sensitive_variables("secret", "asked")
def _add(request: HttpRequest, dialog: Dialog) -> HttpResponse | None:
    """Add the channel; the answer to that of a webhook shows its secret, once."""
    form = dialog.form
    if not form.is_valid():
        return None
    by: dict[str, Any] = {"actor": person_of(request), "now": timezone.now()}
    try:
        with transaction.atomic():
            asked = form.cleaned_data
            added = alerts.add_channel(**asked, **by)
            secret = alerts.rotate_signing_secret(added.pk, **by) if added.is_webhook else ""
    except Refusal as refusal:
        field = {"channel_name_taken": "name", "channel_url_unusable": "url"}.get(refusal.code)
        form.add_error(field, refusal.detail)
        return None
    if secret:
        return _secret(request, added, secret)
    messages.success(request, f"{added.name} was added. Send a test to see whether it works.")
    return redirect(links.url("channel", added.pk))


@sensitive_variables("secret")
def _secret(request: HttpRequest, channel: Channel, secret: str) -> HttpResponse:
    context = {"channel": channel, "secret": secret}
    return render(request, "dashboard/alerts/signing_secret.html", context)


@never_cache
@sensitive_post_parameters("url")
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("alerts.view_channel", raise_exception=True)
def channel(request: HttpRequest, pk: str) -> HttpResponse:
    """GET /alerts/channels/<id>: the page; `act` opens the dialog of an act. POST: do it."""
    found = _found(request, pk)
    acts = [act for act in CHANNEL_ACTS if act.is_for(request.user, found)]
    dialog = opened_dialog(request, acts, found)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if done := _do(request, dialog, found):
            return done
    now = timezone.now()
    context: dict[str, Any] = {
        "channel": found,
        "state": state(found, now),
        "service": service(found),
        "gets": gets(found),
        "secrets": found.signing_secrets.valid(now) if found.is_webhook else (),
        "acts": acts,
        "dialog": dialog,
    }
    if request.user.has_perm("alerts.view_notification"):
        context["notifications"] = queries.deliveries().filter(channel=found)[:_SHOWN]
    if request.user.has_perm("security.view_auditentry"):
        entries = latest_history(about=found.address, most=_SHOWN)
        context["history"] = [{"entry": entry, "changes": changes(entry)} for entry in entries]
    return render(request, "dashboard/alerts/channel.html", context)


def _found(request: HttpRequest, text: str) -> Channel:
    pk = as_uuid(text)
    if pk is None:
        raise Http404
    return get_object_or_404(visible_to(request.user, Channel.objects.shared()), pk=pk)


def _do(request: HttpRequest, dialog: Dialog, found: Channel) -> HttpResponse | None:
    """Do what the dialog asks: a test leads to its delivery, a secret is shown."""
    by: dict[str, Any] = {"actor": person_of(request), "now": timezone.now()}
    try:
        if dialog.act is TEST:
            return redirect(links.url("notification", alerts.test_channel(found.pk, **by).pk))
        if dialog.act is ROTATE:
            return _secret(request, found, alerts.rotate_signing_secret(found.pk, **by))
    except Refusal as refusal:
        dialog.form.is_valid()
        dialog.form.add_error(None, refusal.detail)
        return None
    if performed(request, dialog, found):
        return redirect(links.url("channel", found.pk))
    return None
