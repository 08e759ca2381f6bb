"""Search: a page, and the options of the palette that opens on every page."""

from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard.search import search as find


@never_cache
@staff_member_required
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """GET /search?q=…: what the person may see and is called so; for htmx, only the options."""
    text = request.GET.get("q", "")
    found = {"text": text, "sections": find(request.user, text)}
    is_palette = "HX-Request" in request.headers
    template = "dashboard/search_options.html" if is_palette else "dashboard/search.html"
    return render(request, template, found)
