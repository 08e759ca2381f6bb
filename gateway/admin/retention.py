"""Retention: for how long prompts and answers of a cost centre are kept; set with a reason."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from common.admin.dialogs import reason_field
from common.admin.lists import QuickList
from common.admin.widgets import moment
from gateway import queries, services
from gateway.models import DAYS_MAX, Retention
from security.request_actor import person_of

_CHANGES_SHOWN = 20
_RULE = (
    "By default nothing is kept. The retention of the nearest cost centre applies, from the one "
    "that pays up to the root. Fewer days delete older exchanges; more days bring none back."
)


class RetentionForm(forms.ModelForm):
    """For how many days exchanges are kept, and the reason of the change."""

    days = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=DAYS_MAX,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="With 0 nothing is kept, and kept exchanges are deleted. "
        "Leave empty to use the retention of the cost centre above.",
    )
    reason = reason_field()

    class Meta:
        model = Retention
        fields = ("cost_centre", "days")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The reason of the last change does not explain this one.
        self.initial["reason"] = ""


@admin.register(Retention)
class RetentionAdmin(QuickList):
    """The cost centres with a retention of their own."""

    form = RetentionForm
    list_display = ("centre", "kept_for", "changed_by", "changed", "reason")
    search_fields = ("cost_centre__slug__startswith",)
    search_help_text = "The beginning of a cost centre's name"
    ordering = ("cost_centre",)
    autocomplete_fields = ("cost_centre",)
    fieldsets = ((None, {"fields": ("cost_centre", "days", "reason"), "description": _RULE}),)
    change_form_after_template = "gateway/retention_changes.html"

    def get_readonly_fields(
        self, request: HttpRequest, obj: Retention | None = None
    ) -> tuple[str, ...]:
        """The cost centre of an existing retention cannot be changed."""
        return ("cost_centre",) if obj else ()

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The form with the history of changes below it."""
        extra: dict[str, Any] = {"show_save_and_add_another": False} | (extra_context or {})
        if object_id is not None:
            extra["changes"] = queries.retention_changes(object_id, most=_CHANGES_SHOWN)
        page: HttpResponse = super().changeform_view(request, object_id, form_url, extra)
        return page

    def audit_subject(self, obj: Retention) -> str:
        """The cost centre: its retention has no name of its own."""
        return f"centre:{obj.pk}"

    def save_model(
        self, request: HttpRequest, obj: Retention, form: RetentionForm, change: bool
    ) -> None:
        """Save through the service, in the name of the user."""
        services.set_retention(
            obj.cost_centre,
            days=form.cleaned_data["days"],
            actor=person_of(request),
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
        )

    @display(description="Cost centre")
    def centre(self, retention: Retention) -> str:
        """The cost centre."""
        return retention.cost_centre_id

    @display(description="Kept for")
    def kept_for(self, retention: Retention) -> str:
        """The number of days in words."""
        if retention.days is None:
            return "inherited"
        return f"{retention.days} days" if retention.days else "off"

    @display(description="Changed (UTC)")
    def changed(self, retention: Retention) -> str:
        """When the retention was set."""
        return moment(retention.changed_at)
