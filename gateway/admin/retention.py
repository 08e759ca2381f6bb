"""Retention: for how long prompts and answers of a cost centre are kept; set with a reason."""

from django import forms
from django.contrib import admin
from django.utils import timezone
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from common.admin.lists import QuickList
from common.admin.widgets import moment
from gateway import queries, services
from gateway.models import DAYS_MAX, Retention
from security.request_actor import person_of

_CHANGES_SHOWN = 20
_RULE = (
    "By default nothing is kept. The number of the nearest cost centre, from the one that pays up "
    "to the root, holds. With fewer days, what is older is deleted; more days bring nothing back."
)


class RetentionForm(forms.ModelForm):
    """How many days, and why."""

    days = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=DAYS_MAX,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="0: nothing is kept, and what was kept is deleted. "
        "Empty: as the cost centre above says.",
    )
    reason = forms.CharField(
        label="Reason",
        max_length=300,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Kept in the history with your name.",
    )

    class Meta:
        model = Retention
        fields = ("cost_centre", "days")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # The last change had its own reason.
        self.initial["reason"] = ""


@admin.register(Retention)
class RetentionAdmin(QuickList):
    """The cost centres that say something, and what."""

    form = RetentionForm
    list_display = ("centre", "kept_for", "changed_by", "changed", "reason")
    search_fields = ("cost_centre__slug__startswith",)
    search_help_text = "The beginning of a cost centre's name"
    ordering = ("cost_centre",)
    autocomplete_fields = ("cost_centre",)
    fieldsets = ((None, {"fields": ("cost_centre", "days", "reason"), "description": _RULE}),)
    change_form_after_template = "gateway/retention_changes.html"

    def get_readonly_fields(self, request, obj=None):
        """Whose it is stays."""
        return ("cost_centre",) if obj else ()

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        """With its earlier values."""
        extra = {"show_save_and_add_another": False} | (extra_context or {})
        if object_id is not None:
            extra["changes"] = queries.retention_changes(object_id, most=_CHANGES_SHOWN)
        return super().changeform_view(request, object_id, form_url, extra)

    def save_model(self, request, obj, form, change):
        """Hand what was written to the service."""
        services.set_retention(
            obj.cost_centre,
            days=form.cleaned_data["days"],
            actor=person_of(request),
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
        )

    @display(description="Cost centre")
    def centre(self, retention):
        """Who pays."""
        return retention.cost_centre_id

    @display(description="Kept for")
    def kept_for(self, retention):
        """The days in words."""
        if retention.days is None:
            return "inherited"
        return f"{retention.days} days" if retention.days else "off"

    @display(description="Changed (UTC)")
    def changed(self, retention):
        """When it was set."""
        return moment(retention.changed_at)
