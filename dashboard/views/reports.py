"""What a person keeps: saved views, files that a job made, notes on dates."""

from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from common.admin.visible_rows import visible_to
from dashboard.organisation import zone
from dashboard.views.date_notes import NoteForm
from reports import queries
from reports.focus import VERSIONS
from reports.models import DateNote

NOTES_SHOWN = 200


@never_cache
@require_safe
@staff_member_required
def reports(request: HttpRequest) -> HttpResponse:
    """GET /reports: own and shared views, own files, and the newest notes."""
    now = timezone.now()
    notes = visible_to(request.user, DateNote.objects.order_by("-noted_on", "-pk"))
    context = {
        "views": queries.saved_views(request.user),
        "files": queries.exports_of(request.user, now=now),
        "notes": notes[:NOTES_SHOWN],
        "note_form": NoteForm(label_suffix=""),
        "this_month": f"{now.astimezone(zone(request)):%Y-%m}",
        "focus_versions": VERSIONS,
    }
    return render(request, "dashboard/reports.html", context)
