"""How shared costs are split among cost centres, and what is added to them."""

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
from dashboard.charge_back.acts import RULE_ACTS
from dashboard.charge_back.tables import cost_shares_table, mark_ups_table
from dashboard.exports import exported

_VIEW = "reports.view_costshare"
tables.register("cost-shares", cost_shares_table, permission=_VIEW)
tables.register("mark-ups", mark_ups_table, permission=_VIEW)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required(_VIEW, raise_exception=True)
@exported("cost-shares", "mark-ups")
def cost_shares(request: HttpRequest) -> HttpResponse:
    """GET /reports/shared-costs: the rules; `act` opens the dialog of an act. POST: do it."""
    acts = [act for act in RULE_ACTS if act.is_for(request.user, None)]
    dialog = opened_dialog(request, acts, None)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, None):
            return redirect(links.url("cost_shares"))
    now = timezone.now()
    context = {
        "shares": cost_shares_table(request.user, request.GET, now),
        "mark_ups": mark_ups_table(request.user, request.GET, now),
        "acts": acts,
        "dialog": dialog,
    }
    return render(request, "dashboard/month_closes/cost_shares.html", context)
