"""What people keep of a page, in its template: `{% load reports %}`."""

from typing import Any

from django import template
from django.template import Context

from dashboard.ranges import DateRange
from reports import queries

register = template.Library()


@register.inclusion_tag("dashboard/parts/saved_views.html", takes_context=True)
def saved_views(context: Context, page: str) -> dict[str, Any]:
    """`{% saved_views "spend" %}`: the views of a page (`common.links`), and a form to save one."""
    request = context["request"]
    return {
        "page": page,
        "query": request.GET.urlencode(),
        "views": queries.saved_views(request.user, page),
        "csrf_token": context.get("csrf_token"),
    }


@register.inclusion_tag("dashboard/parts/date_notes.html")
def date_notes(days: DateRange) -> dict[str, Any]:
    """`{% date_notes view.days %}`: the notes on the days of a chart, which all its readers see."""
    return {"notes": queries.notes_between(days.starts_on, days.ends_on)}
