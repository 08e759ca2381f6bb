"""Savings: what would have cost less in the last 30 days."""

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.acts import opened_dialog, performed
from dashboard.exports import exported
from dashboard.savings.acts import SAVING_ACTS, Seen
from dashboard.savings.tables import (
    closed_table,
    experiments_table,
    idle_money_table,
    savings_table,
)
from orchestration.models import Experiment
from prediction.models import Saving

_VIEW = "prediction.view_saving"
tables.register("savings", savings_table, permission=_VIEW)
tables.register("closed-savings", closed_table, permission=_VIEW)
tables.register("idle-money", idle_money_table, permission=_VIEW)
tables.register("experiments", experiments_table, permission=_VIEW)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required(_VIEW, raise_exception=True)
@exported("savings", "idle-money", "closed-savings", "experiments")
def savings(request: HttpRequest) -> HttpResponse:
    """GET /savings: what could be saved, and what people said about it; `act` opens a dialog. POST:
    do what it asks."""
    seen = Seen(
        visible_to(request.user, Saving.objects.all()),
        visible_to(request.user, Experiment.objects.all()),
    )
    acts = [act for act in SAVING_ACTS if act.is_for(request.user, seen)]
    dialog = opened_dialog(request, acts, seen)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, seen):
            return redirect(links.url("savings"))
    now = timezone.now()
    context = {
        "acts": acts,
        "dialog": dialog,
        "looked_at": seen.savings.aggregate(at=Max("seen_at"))["at"],
        "savings": savings_table(request.user, request.GET, now),
        "idle": idle_money_table(request.user, request.GET, now),
        "experiments": experiments_table(request.user, request.GET, now),
        "closed": closed_table(request.user, request.GET, now),
    }
    return render(request, "dashboard/savings/page.html", context)
