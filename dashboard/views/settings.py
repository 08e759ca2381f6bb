"""The settings of the organisation, and every change of them."""

from calendar import month_name
from decimal import Decimal
from typing import Any, cast
from zoneinfo import available_timezones

from django import forms
from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from common import links
from common.admin.visible_rows import visible_to
from dashboard.organisation import organisation_of
from keys import services as keys
from keys.models import Organisation
from security.audit_changes import changes
from security.models import AuditEntry
from security.request_actor import person_of
from treasury.queries import rate_on

HISTORY_SHOWN = 50


def _zones() -> list[tuple[str, str]]:
    return [(name, name) for name in sorted(available_timezones())]


class OrganisationForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """The fields of the organisation, and why they change."""

    reporting_zone = forms.ChoiceField(
        choices=_zones, help_text=Organisation.reporting_zone.field.help_text
    )
    fiscal_year_starts = forms.TypedChoiceField(
        label="First month of the fiscal year",
        choices=list(enumerate(month_name))[1:],
        coerce=int,
        help_text=Organisation.fiscal_year_starts.field.help_text,
    )
    reason = forms.CharField(max_length=300, help_text="The history below keeps it with your name.")

    class Meta:
        model = Organisation
        fields = [
            "name",
            "reporting_zone",
            "fiscal_year_starts",
            "week_starts",
            "shown_currency",
            "shown_rate",
            "shown_rate_on",
            "landing_warning_percent",
            "estimated_share_warning_percent",
            "budget_threshold_percents",
        ]
        labels = {
            "landing_warning_percent": "Budget warning, in percent",
            "estimated_share_warning_percent": "Warning about estimates, in percent",
            "budget_threshold_percents": "Alerts of budgets, in percent",
        }
        help_texts = {
            "shown_rate": "How much of the currency one US dollar is. Left empty, it is the "
            "recorded rate of the date."
        }
        widgets = {"shown_rate_on": forms.DateInput({"type": "date"}, format="%Y-%m-%d")}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["shown_rate"].required = False
        self._from_rates: list[str] = []
        # What the form showed comes back with it: what others changed since is left alone.
        for field in self.fields.values():
            field.show_hidden_initial = True

    def clean(self) -> dict[str, Any]:
        """Take the recorded rate of the date, if the form has none."""
        found = super().clean() or self.cleaned_data
        if found.get("shown_rate") is None and "shown_rate" not in self.errors:
            self._take_rate(found)
        return found

    def _take_rate(self, found: dict[str, Any]) -> None:
        currency, day = found.get("shown_currency"), found.get("shown_rate_on")
        if currency == "USD":
            found["shown_rate"] = Decimal(1)
            return
        rate = rate_on("USD", currency, day) if currency and day else None
        if rate is None:
            self.add_error("shown_rate", "No rate of that day or the six before it is recorded.")
            return
        found["shown_rate"], found["shown_rate_on"] = rate.rate, rate.day
        self._from_rates = ["shown_rate", "shown_rate_on"]

    @property
    def changes(self) -> keys.OrganisationChanges:
        """The fields with other values than before."""
        names = dict.fromkeys([*self.changed_data, *self._from_rates])
        changed = {name: self.cleaned_data[name] for name in names if name != "reason"}
        return cast(keys.OrganisationChanges, changed)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
def settings(request: HttpRequest) -> HttpResponse:
    """GET /settings: the settings; POST: change them, for who has the permission."""
    may_change = request.user.has_perm("keys.change_organisation")
    form = OrganisationForm(
        request.POST or None, instance=organisation_of(request), label_suffix=""
    )
    if request.method == "POST":
        if not may_change:
            raise PermissionDenied
        if form.is_valid():
            return _change(request, form)
    context: dict[str, Any] = {"form": form, "may_change": may_change}
    if request.user.has_perm("security.view_auditentry"):
        entries = visible_to(request.user, AuditEntry.objects.about("organisation:1"))
        context["history"] = [
            {"entry": entry, "changes": changes(entry)} for entry in entries[:HISTORY_SHOWN]
        ]
    return render(request, "dashboard/settings.html", context)


def _change(request: HttpRequest, form: OrganisationForm) -> HttpResponse:
    keys.change_organisation(
        **form.changes,
        actor=person_of(request),
        reason=form.cleaned_data["reason"],
        now=timezone.now(),
    )
    messages.success(request, "The settings are saved. They count from now on, on every page.")
    return redirect(links.url("settings"))
