"""Retention: for how long charges are kept, the months that there are, and every change."""

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from common import links
from dashboard import tables
from dashboard.acts import opened_dialog, performed
from dashboard.exports import exported
from dashboard.organisation import organisation_of
from dashboard.retention import ACTS, partition_table
from keys import services as keys

tables.register("charge-months", partition_table, permission="keys.view_chargepartition")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("keys.view_chargepartition", raise_exception=True)
@exported("charge-months")
def retention(request: HttpRequest) -> HttpResponse:
    """GET /settings/retention: the page; `act` opens the dialog of an act. POST: do it."""
    organisation = organisation_of(request)
    acts = [act for act in ACTS if act.is_for(request.user, organisation)]
    dialog = opened_dialog(request, acts, organisation)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, organisation):
            return redirect(links.url("charge_retention"))
    now, months = timezone.now(), organisation.charges_kept_months
    due = keys.charges_due(months, now=now)
    context = {
        "acts": acts,
        "dialog": dialog,
        "kept_for": keys.kept_for(months),
        "due": due,
        "days": keys.PARTITIONED_AFTER.days,
        "table": partition_table(request.user, request.GET, now),
    }
    return render(request, "dashboard/retention.html", context)
