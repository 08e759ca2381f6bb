"""Rows that are read in the admin and written by services only."""

from django.db.models import Model
from django.http import HttpRequest

from common.admin.lists import QuickList


class ReadOnlyAdmin(QuickList):
    """Nobody adds, changes or deletes rows by hand; actions call services."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody: services add rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody: services change rows."""
        return False
