"""What the pages of this app share."""

from datetime import UTC, datetime

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin


class QuickList(ModelAdmin):
    """A list that stays quick when it is long, of rows that nobody deletes by hand."""

    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 50
    list_fullwidth = True
    sortable_by = ()

    def has_delete_permission(self, request, obj=None):
        """Services and jobs delete, by their rules."""
        return False


class ReadOnlyAdmin(QuickList):
    """Rows that only services write."""

    def has_add_permission(self, request):
        """Rows are made by services."""
        return False

    def has_change_permission(self, request, obj=None):
        """Rows are changed by services."""
        return False


def link(model: str, pk: object, text: object | None = None) -> SafeString:
    """A link to the page of one row of `model`, such as `keys_charge`."""
    url = reverse(f"admin:{model}_change", args=[pk])
    return format_html('<a class="butler-link" href="{}">{}</a>', url, pk if text is None else text)


def moment(at: datetime) -> SafeString:
    """Date and time in UTC, on one line."""
    return format_html(
        '<span class="butler-line">{}</span>', f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    )
