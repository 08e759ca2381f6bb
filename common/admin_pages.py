"""What admin pages of every app share: services write, others read, lists stay quick."""

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.http import HttpResponseRedirect
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

from common.refusal import Refusal

COUNTED_MAX = 10_000


class CappedPaginator(Paginator):
    """Counts no further than `COUNTED_MAX`: counting millions of rows costs more than the page.

    What lies beyond is reached by filters and search.
    """

    template_name = "common/pagination.html"

    @cached_property
    def count(self):
        """How many rows there are, at most `COUNTED_MAX`."""
        return self.object_list.order_by()[:COUNTED_MAX].count()

    @property
    def is_capped(self) -> bool:
        """Whether there may be more rows than were counted."""
        return self.count >= COUNTED_MAX


class _OwnTransactions(admin.ModelAdmin):
    """Stands behind django-unfold's admin: services open their transactions, not the form."""

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        """As Django's, but in no transaction; a refusal is a message on the same page."""
        try:
            return self._changeform_view(request, object_id, form_url, extra_context)
        except Refusal as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(request.get_full_path())


class QuickList(ModelAdmin):
    """A list that stays quick when it is long."""

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 50
    list_fullwidth = True
    # Sorting by a column without an index reads the whole table.
    sortable_by = ()

    def has_delete_permission(self, request, obj=None):
        """Nothing is forgotten: it is switched off, revoked or removed by a service."""
        return False


class ReadOnlyAdmin(QuickList):
    """Rows that only services write."""

    def has_add_permission(self, request):
        """Rows are made by services."""
        return False

    def has_change_permission(self, request, obj=None):
        """Rows are changed by services."""
        return False


class ServiceAdmin(QuickList, _OwnTransactions):
    """Forms whose input goes to services, in the name of who is signed in."""

    def save_related(self, request, form, formsets, change):
        """Hand each formset to its inline's services."""
        for formset in formsets:
            self.save_formset(request, form, formset, change=change)
