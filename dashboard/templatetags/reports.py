"""What people keep of a page, in its template: `{% load reports %}`."""

from typing import Any

from django import template
from django.template import Context

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
