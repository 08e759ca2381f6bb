"""Exchange rates: what one currency was in another, by whom."""

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
from dashboard.exchange_rates.acts import RATE_ACTS
from dashboard.exchange_rates.tables import rates_table
from dashboard.exports import exported
from treasury.models import ExchangeRate

tables.register("exchange-rates", rates_table, permission="treasury.view_exchangerate")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("treasury.view_exchangerate", raise_exception=True)
@exported("exchange-rates")
def exchange_rates(request: HttpRequest) -> HttpResponse:
    """GET /treasury/rates: rates by currency; `act` opens a dialog. POST: do what it asks."""
    acts = [act for act in RATE_ACTS if act.is_for(request.user, None)]
    dialog = opened_dialog(request, acts, None)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, None):
            return redirect(links.url("exchange_rates"))
    rates = ExchangeRate.objects.order_by("quote").values_list("quote", flat=True).distinct()
    context = {
        "acts": acts,
        "dialog": dialog,
        "currencies": list(rates),
        "currency": request.GET.get("currency", ""),
        "rates": rates_table(request.user, request.GET, timezone.now()),
    }
    return render(request, "dashboard/exchange_rates.html", context)
