"""The delivery log: which channel was told what, what came of it, and sending it again."""

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from alerts import queries as alerts
from alerts.models import Channel, Notification
from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.acts import opened_dialog, performed
from dashboard.alerts.channel_acts import SEND_AGAIN
from dashboard.alerts.deliveries_table import (
    WAITING,
    deliveries_table,
    log_query,
    of_all_statuses,
    what,
)
from dashboard.exports import exported

tables.register("deliveries", deliveries_table, permission="alerts.view_notification")


@never_cache
@require_safe
@staff_member_required
@permission_required("alerts.view_notification", raise_exception=True)
@exported("deliveries")
def notifications(request: HttpRequest) -> HttpResponse:
    """GET /alerts/deliveries: the log; `status`, `channel` and `alert` choose."""
    asked = log_query(request.GET)
    counts = alerts.delivery_counts(of_all_statuses(request.user, asked))
    tabs = [("", "All", sum(counts.values()))]
    waiting = counts["queued"] + counts["failed"]
    tabs.append((WAITING, "Waiting", waiting))
    tabs += [
        (status.value, status.label.capitalize(), counts[status.value])
        for status in Notification.Status
    ]
    context = {
        "asked": asked,
        "tabs": [(value, title, count, asked.url(status=value)) for value, title, count in tabs],
        "channel": asked.channel and Channel.objects.filter(pk=asked.channel).first(),
        "any_channel_url": asked.url(channel=None),
        "any_alert_url": asked.url(alert=0),
        "table": deliveries_table(request.user, request.GET, timezone.now()),
    }
    return render(request, "dashboard/alerts/deliveries.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("alerts.view_notification", raise_exception=True)
def notification(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /alerts/deliveries/<id>: the page; `act=again` opens a dialog. POST: send it again."""
    rows = visible_to(
        request.user, Notification.objects.select_related("alert", "channel", "again_of")
    )
    found = get_object_or_404(rows, pk=pk)
    acts = [SEND_AGAIN] if SEND_AGAIN.is_for(request.user, found) else []
    dialog = opened_dialog(request, acts, found)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, found):
            again = (found.again_of or found).repetitions.order_by("-pk")[0]
            return redirect(links.url("notification", again.pk))
    context = {
        "notification": found,
        "what": what(found),
        "digest": alerts.alerts_of_digest(found)[:100] if found.is_digest else (),
        "repetitions": found.repetitions.order_by("pk")[:10],
        "acts": acts,
        "dialog": dialog,
    }
    return render(request, "dashboard/alerts/delivery.html", context)
