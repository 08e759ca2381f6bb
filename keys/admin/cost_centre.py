"""Cost centres: the tree of who pays, with limits."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from common.admin import widgets
from keys import services as keys
from keys.admin import widgets as book_widgets
from keys.admin.limits import AddForm, LimitedAdmin, ReasonedForm
from keys.books.queries import pages
from keys.models import CostCentre
from security.request_actor import person_of

_REASON = "Say why, whenever you change a limit below."


class AddCostCentreForm(AddForm):
    """A new cost centre; its place in the tree is for life."""

    class Meta:
        model = CostCentre
        fields = ("slug", "name", "parent")


@admin.register(CostCentre)
class CostCentreAdmin(LimitedAdmin):
    """Who pays."""

    subject_kind = "centre"
    list_display = ("slug", "name", "place", "usage")
    search_fields = ("slug__startswith", "parent__exact")
    search_help_text = "The beginning of a cost centre's name, or its parent"
    ordering = ("path",)
    autocomplete_fields = ("parent",)
    fieldsets = (
        (None, {"fields": ("slug", "name", "place", "created_at", "rows")}),
        ("Reason for your change", {"fields": ("reason",), "description": _REASON}),
    )
    add_fieldsets = (
        (None, {"fields": ("slug", "name", "parent")}),
        ("Reason", {"fields": ("reason",), "description": _REASON}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With what a row shows."""
        return super().get_queryset(request).prefetch_related(pages.limits_with_windows())

    def get_form(
        self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        """After it was made, only its limits change here."""
        kwargs["form"] = ReasonedForm if change else AddCostCentreForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        """What it was made with stays."""
        return ("slug", "name", "place", "created_at", "rows") if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Hand a new one to the services."""
        if not change:
            parent = form.cleaned_data["parent"]
            made = keys.create_cost_centre(
                obj.pk,
                name=form.cleaned_data["name"],
                parent=parent and parent.pk,
                actor=person_of(request),
                now=timezone.now(),
            )
            # Its name in messages and logs.
            obj.path = made.path

    @display(description="Place in the tree")
    def place(self, centre: CostCentre) -> SafeString | str:
        """From the root to it."""
        return " / ".join(centre.path)

    @display(description="Used and committed")
    def usage(self, centre: CostCentre) -> SafeString | str:
        """A bar for each limit."""
        now = timezone.now()
        return book_widgets.meters(pages.meters_of(centre, now=now), now=now)

    @display(description="Rows behind it")
    def rows(self, centre: CostCentre) -> SafeString | str:
        """The lists of who is of it and what it pays for."""
        return widgets.separated(
            [
                widgets.list_link("agents", "agents", cost_centre=centre.pk),
                widgets.list_link("allocations", "allocations", cost_centre=centre.pk),
                widgets.list_link("centres", "cost centres below", parent=centre.pk),
            ]
        )
