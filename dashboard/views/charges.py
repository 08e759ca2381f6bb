"""The charges that a figure is the sum of, and one charge."""

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.charges.charge_page import charge_page
from dashboard.charges.charge_table import charge_table, table_of
from dashboard.charges.query import charges_query
from dashboard.exports import exported
from dashboard.organisation import organisation_of
from dashboard.spend.controls import chips
from keys.models import Charge

tables.register("charges", charge_table, permission="keys.view_charge")


@never_cache
@require_safe
@staff_member_required
@permission_required("keys.view_charge", raise_exception=True)
@exported("charges")
def charges(request: HttpRequest) -> HttpResponse:
    """GET /charges: the charges that the query parameters ask for."""
    now = timezone.now()
    asked = charges_query(request.user, request.GET, organisation=organisation_of(request), now=now)
    context = {
        "asked": asked,
        "chips": chips(asked.view, asked.url_of),
        "table": table_of(request.user, asked, request.GET),
    }
    return render(request, "dashboard/charges.html", context)


@never_cache
@require_safe
@staff_member_required
@permission_required("keys.view_charge", raise_exception=True)
def charge(request: HttpRequest, charge_id: int) -> HttpResponse:
    """GET /charges/<id>: why the call cost what it cost; 404 for one the person may not see."""
    seen = visible_to(request.user, Charge.objects.all())
    found = get_object_or_404(seen.select_related("allocation", "api_key", "price"), pk=charge_id)
    return render(request, "dashboard/charge.html", charge_page(request.user, found))
