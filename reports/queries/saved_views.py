"""The saved views of a page."""

from typing import Any

from django.db.models import Q, QuerySet

from common.admin.visible_rows import visible_to
from reports.models import SavedView


def saved_views(user: Any, page: str = "") -> QuerySet[SavedView]:
    """The person's own views of a page, or of all pages, and those that others share.

    Shared views are for people who see all cost centres: a filter can name one that others must not
    know.
    """
    views = SavedView.objects.filter(page=page) if page else SavedView.objects.all()
    shared = visible_to(user, views.filter(shared_at__isnull=False))
    return views.filter(Q(owner=user) | Q(pk__in=shared.values("pk"))).select_related("owner")
