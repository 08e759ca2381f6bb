"""Rows that are read in the admin and written by services only."""

from django.db.models import Model
from django.http import HttpRequest

from common.admin.lists import QuickList


class ReadOnlyAdmin(QuickList):
    """A list and pages to read: rows are added, changed and deleted by services only."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: services add rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: services change rows."""
        return False
