"""Lists that stay quick when they are long."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.templatetags.admin_urls import admin_urlname
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import BinaryField, ForeignKey, Model, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from common import links
from common.admin.dialogs import redirect_to
from common.admin.visible_rows import visible_to

COUNTED_MAX = 10_000
# The addresses below one row, and the names of those that Django itself looks after.
_ROW = "<path:object_id>/"
_PAGES_OF_ROWS = ("_change", "_delete", "_history")


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
    sortable_by: ClassVar[list[str] | tuple[str, ...] | None] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows that the user may see."""
        return visible_to(request.user, super().get_queryset(request))

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        """Offer and accept only rows that the user may see, and that something new can name.

        A user who does not see all rows chooses one: no choice can mean all, as of a root.
        """
        rows = db_field.related_model._default_manager.all()
        seen = visible_to(request.user, rows)
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field is not None and seen is not rows:
            field.queryset, field.required = seen, True
        offering = self.admin_site._registry.get(db_field.related_model)
        if field is not None and isinstance(offering, QuickList) and request.path.endswith("/add/"):
            field.queryset = offering.offered(seen)
        return field

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """The rows found; as choices of a field, only those that something new can name."""
        rows, may_repeat = super().get_search_results(request, queryset, search_term)
        is_choice = request.path.endswith("/autocomplete/")
        return (self.offered(rows) if is_choice else rows), may_repeat

    def offered(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those of the rows that something new can name: all, unless an admin says otherwise."""
        return rows

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Not of binary columns, which hold what is sealed or a digest: it could be guessed bit by
        bit."""
        column = lookup.partition("__")[0]
        binary = {field.name for field in self.opts.fields if isinstance(field, BinaryField)}
        return column not in binary and super().lookup_allowed(lookup, value, request)

    def get_urls(self) -> list[URLPattern]:
        """The pages; actions on a row that is not there lead back to the list."""
        urls: list[URLPattern] = super().get_urls()
        for pattern in urls:
            is_action = pattern.name and not pattern.name.endswith(_PAGES_OF_ROWS)
            if is_action and str(pattern.pattern).startswith(_ROW):
                pattern.callback = self._for_row(pattern.callback)
        return urls

    def _for_row(self, action: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(action)
        def checked(request: HttpRequest, object_id: str) -> HttpResponse:
            if self.admin_site.has_permission(request) and not self.get_object(request, object_id):
                if not self.has_view_or_change_permission(request):
                    raise PermissionDenied
                name = self.opts.verbose_name
                self.message_user(request, f"There is no {name} {object_id}.", messages.WARNING)
                return redirect_to(
                    request, reverse(admin_urlname(self.opts, SafeString("changelist")))
                )
            return action(request, object_id=object_id)

        return checked

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: a service disables, revokes or removes a row, and its history stays."""
        return False

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Nothing: the service that added the row has recorded it in the audit."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Nothing: the service that changed the row has recorded it in the audit."""

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Nothing: the service that removed the rows has recorded it in the audit."""

    def audit_subject(self, obj: Any) -> str:
        """The row as the audit names it: its kind in the table of links, and its key."""
        return f"{links.kind_of(type(obj))}:{obj.pk}"

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The audit entries of the row, for users who may view it."""
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            return redirect(links.url("admin"))
        if not self.has_view_or_change_permission(request, obj):
            raise PermissionDenied
        return redirect(links.url("audit_entries", subject=self.audit_subject(obj)))
