"""Cost centres: the tree of those who pay, with their limits."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget

from common import links
from common.admin import widgets
from common.admin.dialogs import perform, reason_field, redirect_to
from keys import services as keys
from keys.admin import widgets as book_widgets
from keys.admin.allow_lists import AllowListAdmin, CentreAllowListForm, allow_list_dialog
from keys.admin.limits import AddForm, ReasonedForm
from keys.admin.places import CentrePlaces
from keys.books.queries import pages
from keys.models import CostCentre
from security.request_actor import person_of

_ALLOW_LIST = allow_list_dialog(
    CentreAllowListForm, "What the cost centre and those below it may use."
)
_FIXED = (
    "slug",
    "name",
    "place",
    "closed_at",
    "outbound_guard",
    "learned_holds",
    "allowed_models_label",
    "allowed_providers_label",
    "created_at",
    "rows",
)
_REASON = "Enter a reason whenever you change a limit below."


class OutboundGuardForm(BaseDialogForm):
    """Asks what happens to calls that would send credentials to a provider."""

    guard = forms.ChoiceField(
        label="Guard",
        required=False,
        choices=[("", "Inherit from the cost centre above"), *CostCentre.Guard.choices],
        widget=UnfoldAdminSelectWidget(),
        help_text="Calls with secrets that Butler itself holds are always refused.",
    )
    reason = reason_field()

    def __init__(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        if row := CostCentre.objects.filter(pk=object_id).first():
            self.fields["guard"].initial = row.outbound_guard


_OUTBOUND_GUARD = {
    "title": "Set the outbound guard",
    "description": "What happens to calls of the cost centre, and of those below it, that would "
    "send credentials to a provider. The gateway follows within seconds.",
    "form_class": OutboundGuardForm,
}


class LearnedHoldsForm(BaseDialogForm):
    """Asks which calls hold what earlier answers make likely."""

    calls = forms.ChoiceField(
        label="Calls that do not fit",
        required=False,
        choices=[("", "Inherit from the cost centre above"), *CostCentre.LearnedHolds.choices],
        widget=UnfoldAdminSelectWidget(),
        help_text="Those that hold less than their bound.",
    )
    reason = reason_field()

    def __init__(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        if row := CostCentre.objects.filter(pk=object_id).first():
            self.fields["calls"].initial = row.learned_holds


_LEARNED_HOLDS = {
    "title": "Set learned holds",
    "description": "Whether calls of the cost centre, and of those below it, that do not fit into "
    "a budget hold what earlier answers make likely, instead of waiting. The provider is sent that "
    "as the maximum, so one of 100 answers is cut. The gateway follows within seconds.",
    "form_class": LearnedHoldsForm,
}


class AddCostCentreForm(AddForm):
    """The form to add a cost centre, whose place in the tree cannot be changed later."""

    class Meta:
        model = CostCentre
        fields = ("slug", "name", "parent")


@admin.register(CostCentre)
class CostCentreAdmin(CentrePlaces, AllowListAdmin):
    """The list and the page of cost centres."""

    subject_kind = "centre"
    list_display = ("slug", "name", "place", "usage")
    search_fields = ("slug__startswith", "parent__exact")
    search_help_text = "The beginning of a cost centre's name, or its parent"
    ordering = ("path",)
    autocomplete_fields = ("parent",)
    actions_detail = (
        *CentrePlaces.actions_of_place,
        *("set_allow_list", "set_outbound_guard", "set_learned_holds", "freeze"),
    )
    fieldsets = (
        (None, {"fields": _FIXED}),
        ("Reason for your change", {"fields": ("reason",), "description": _REASON}),
    )
    add_fieldsets = (
        (None, {"fields": ("slug", "name", "parent")}),
        ("Reason", {"fields": ("reason",), "description": _REASON}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Cost centres with the limits and windows that their rows show."""
        return super().get_queryset(request).prefetch_related(pages.limits_with_windows())

    def offered(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """None that is closed."""
        return rows.filter(closed_at=None)

    def get_form(
        self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        """The form to add a cost centre, or to change the limits of an existing one."""
        kwargs["form"] = ReasonedForm if change else AddCostCentreForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        """Everything but the limits of an existing cost centre."""
        return _FIXED if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Create a new cost centre by its service."""
        if not change:
            parent = form.cleaned_data["parent"]
            centre = keys.create_cost_centre(
                obj.pk,
                name=form.cleaned_data["name"],
                parent=parent and parent.pk,
                reason=form.cleaned_data.get("reason", ""),
                actor=person_of(request),
                now=timezone.now(),
            )
            # Messages and logs show the path as the name.
            obj.path = centre.path

    @action(description="Set allow-list", permissions=["change"], dialog=_ALLOW_LIST)
    def set_allow_list(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """Set which models and providers are allowed."""
        return self.perform_set_allow_list(request, form, object_id)

    @action(description="Set outbound guard", permissions=["change"], dialog=_OUTBOUND_GUARD)
    def set_outbound_guard(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """Set what happens to calls with credentials."""
        service = partial(
            keys.set_outbound_guard,
            object_id,
            guard=form.cleaned_data["guard"],
            reason=form.cleaned_data["reason"],
            actor=person_of(request),
            now=timezone.now(),
        )
        perform(request, service, success="The outbound guard was set.")
        return redirect_to(request, links.url(self.subject_kind, object_id))

    @action(description="Set learned holds", permissions=["change"], dialog=_LEARNED_HOLDS)
    def set_learned_holds(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """Set which calls hold what earlier answers make likely."""
        service = partial(
            keys.set_learned_holds,
            object_id,
            calls=form.cleaned_data["calls"],
            reason=form.cleaned_data["reason"],
            actor=person_of(request),
            now=timezone.now(),
        )
        perform(request, service, success="The learned holds were set.")
        return redirect_to(request, links.url(self.subject_kind, object_id))

    @display(description="Place in the tree")
    def place(self, centre: CostCentre) -> SafeString | str:
        """The names from the root to the cost centre."""
        return " / ".join(centre.path)

    @display(description="Used and committed")
    def usage(self, centre: CostCentre) -> SafeString | str:
        """A bar for each limit of the cost centre."""
        now = timezone.now()
        return book_widgets.meters(pages.meters_of(centre, now=now), now=now)

    @display(description="Records")
    def rows(self, centre: CostCentre) -> SafeString | str:
        """Links to the agents, allocations and cost centres below."""
        return widgets.separated(
            [
                widgets.list_link("managed_agents", "agents", cost_centre=centre.pk),
                widgets.list_link("allocations", "allocations", cost_centre=centre.pk),
                widgets.list_link("centres", "cost centres below", parent=centre.pk),
            ]
        )
