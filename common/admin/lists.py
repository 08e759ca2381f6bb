"""Lists that stay quick when they are long."""

from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

COUNTED_MAX = 10_000


class CappedPaginator(Paginator):
    """Counts no further than `COUNTED_MAX`: counting millions of rows costs more than the page.

    Rows beyond it are reached by filters and search.
    """

    object_list: QuerySet[Model]
    template_name = "common/pagination.html"

    @cached_property
    def count(self) -> int:
        """How many rows there are, at most `COUNTED_MAX`."""
        return self.object_list.order_by()[:COUNTED_MAX].count()

    @property
    def is_capped(self) -> bool:
        """Whether there may be more rows than were counted."""
        return self.count >= COUNTED_MAX


class QuickList(ModelAdmin):
    """A list that stays quick when it is long, of rows that are never deleted by hand."""

    paginator: type[Paginator] = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 50
    list_fullwidth = True
    # Sorting by a column without an index reads the whole table.
    sortable_by: list[str] | tuple[str, ...] | None = ()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody: a service disables, revokes or removes a row, and its history stays."""
        return False
