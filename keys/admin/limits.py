"""Limits on the page of their API key, agent or cost centre; services change them."""

from typing import Any, ClassVar

from django import forms
from django.contrib.admin.options import InlineModelAdmin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from common.admin import widgets
from common.admin.dialogs import reason_field
from keys import services as keys
from keys.admin import widgets as book_widgets
from keys.admin.dialogs import show_proposed
from keys.admin.freeze import FreezableAdmin
from keys.books.queries import pages
from keys.identity.services.agents import check_slug
from keys.models import CostCentre, Limit, Window
from keys.refusals import CostCentreClosed, WrongValue
from security.request_actor import person_of

_TERMS = ("unit", "period", "amount", "carry_over_max", "zone", "reset_hour")
_REASON_MISSING = "Enter a reason in the field Reason: limits are not changed without one."
_TWICE = "There can be only one limit in {unit} per {period}. Change the existing limit instead."


class LimitForm(forms.ModelForm):
    """One limit. Its unit and period identify it and cannot be changed."""

    amount = forms.DecimalField(
        min_value=0,
        max_digits=24,
        decimal_places=9,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"class": "butler-amount", "step": "any"}),
    )

    carry_over_max = forms.DecimalField(
        label="Carry-over",
        required=False,
        min_value=0,
        max_digits=24,
        decimal_places=9,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"class": "butler-amount", "step": "any"}),
        help_text=Limit._meta.get_field("carry_over_max").help_text,
    )

    class Meta:
        model = Limit
        fields = _TERMS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["unit"].disabled = self.fields["period"].disabled = True
            self.initial["amount"] = format(self.instance.amount.normalize(), "f")
            if (most := self.instance.carry_over_max) is not None:
                self.initial["carry_over_max"] = format(most.normalize(), "f")

    @property
    def terms(self) -> keys.Terms:
        """The entered values as the service takes them."""
        return keys.Terms(**{name: self.cleaned_data[name] for name in _TERMS})

    def clean(self) -> dict[str, Any]:
        """Check as the service does, to show its message beside the field."""
        super().clean()
        if not self.errors:
            try:
                self.terms.check()
            except WrongValue as refusal:
                self.add_error(refusal.field, refusal.detail)
        return self.cleaned_data


class LimitFormSet(PaginationInlineFormSet):
    """The limits of one API key, agent or cost centre."""

    def clean(self) -> None:
        """Require a reason for changes, and only one limit per unit and period."""
        super().clean()
        if self.has_changed() and not self.data.get("reason", "").strip():
            raise forms.ValidationError(_REASON_MISSING, code="required")
        added = any(form.has_changed() for form in self.extra_forms)
        if added and _is_closed(self.instance):
            raise forms.ValidationError(CostCentreClosed(cost_centre=self.instance.pk).detail)
        names = set()
        for form in self._remaining_forms():
            name = form.cleaned_data["unit"], form.cleaned_data["period"]
            if name in names:
                raise forms.ValidationError(_TWICE.format(unit=name[0], period=name[1]))
            names.add(name)

    def _remaining_forms(self) -> list[Any]:
        removed = self.deleted_forms
        return [
            form
            for form in self.forms
            if form not in removed and {"unit", "period"} <= form.cleaned_data.keys()
        ]


class LimitsInline(TabularInline):
    """The limits in force, each with what is used and committed in its window."""

    model = Limit
    form = LimitForm
    formset = LimitFormSet
    fields = (*_TERMS, "usage")
    readonly_fields = ("usage",)
    extra = 0
    verbose_name_plural = "limits"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The limits in force; removed ones are in the history."""
        return pages.with_open_windows(super().get_queryset(request).filter(removed_at=None))

    def get_formset(self, request: HttpRequest, obj: Model | None = None, **kwargs: Any) -> Any:
        """The formset. Windows of a limit do not prevent its removal, which deletes no row."""
        formset = super().get_formset(request, obj, **kwargs)
        formset.form.hand_clean_DELETE = _skip_delete_check
        return formset

    def get_max_num(self, request: HttpRequest, obj: Model | None = None, **kwargs: Any) -> Any:
        """No more than there are, of a closed cost centre."""
        return 0 if _is_closed(obj) else super().get_max_num(request, obj, **kwargs)

    @display(description="Used and committed")
    def usage(self, limit: Limit) -> SafeString | str:
        """A bar, the next reset, and a link to all windows of the limit."""
        now = timezone.now()
        meters = [pages.meter_of(limit, window, now=now) for window in _open_windows(limit)]
        if not meters:
            return "—"
        return book_widgets.meters(meters, now=now) + widgets.list_link(
            "windows", "all its windows", limit=limit.pk
        )


def _skip_delete_check(form: LimitForm) -> None:
    """Replaces Django's check for rows that point at a deleted row: removal deletes nothing."""


def _is_closed(subject: Any) -> bool:
    return isinstance(subject, CostCentre) and subject.closed_at is not None


def _open_windows(limit: Limit) -> list[Window]:
    """The open windows of a limit; empty for the blank row of the form."""
    return getattr(limit, "open_windows", [])


class LimitedAdmin(FreezableAdmin):
    """The page of an API key, agent or cost centre: its limits inline, its history below.

    `subject_kind`: the prefix of its rows in the audit, such as `key`.
    """

    subject_kind: str
    inlines: ClassVar[tuple[type[InlineModelAdmin], ...]] = (LimitsInline,)
    change_form_after_template = "keys/history_below.html"

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page, with the last entries of its history."""
        extra = {"show_save_and_add_another": False} | (extra_context or {})
        if object_id is not None and request.method == "GET":
            extra["butler_history"] = book_widgets.history(f"{self.subject_kind}:{object_id}")
        return super().changeform_view(request, object_id, form_url, extra)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Set and remove limits, each with its reason in the history, or ask for approvals."""
        by = {
            "reason": form.cleaned_data["reason"],
            "actor": person_of(request),
            "now": timezone.now(),
        }
        leaving = formset.deleted_forms
        changed = [f for f in formset.forms if f.has_changed() and f not in leaving]
        subject = self.model.objects.get(pk=form.instance.pk)
        proposed = [keys.propose_limit_removal(each.instance, **by) for each in leaving]
        proposed += [keys.propose_limit(subject, terms=each.terms, **by) for each in changed]
        for approval in filter(None, proposed):
            show_proposed(request, approval, success="")
        # Django's own log entry is made from these lists.
        formset.deleted_objects = [f.instance for f in leaving]
        formset.new_objects = [f.instance for f in changed if not f.initial.get("amount")]
        formset.changed_objects = [
            (f.instance, f.changed_data) for f in changed if f.initial.get("amount")
        ]


class ReasonedForm(forms.ModelForm):
    """A form whose changes need a reason, kept in the history; so do those of the limits below."""

    reason = reason_field(required=False)

    def clean(self) -> dict[str, Any]:
        """Require a reason for a change."""
        super().clean()
        if set(self.changed_data) - {"reason"} and not self.cleaned_data.get("reason"):
            self.add_error("reason", "Enter a reason for the change.")
        return self.cleaned_data


class AddForm(ReasonedForm):
    """A form to add a row whose slug cannot be changed later. A reason is optional."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "name" in self.fields:
            self.fields["name"].required = False

    def clean_slug(self) -> Any:
        """Check the slug as services do."""
        try:
            return check_slug(self.cleaned_data["slug"])
        except WrongValue as refusal:
            raise forms.ValidationError(refusal.detail) from None

    def clean(self) -> dict[str, Any]:
        """Record the reason `added` when none was entered."""
        self.cleaned_data["reason"] = self.cleaned_data.get("reason") or "added"
        for name in ("parent", "cost_centre"):
            centre = self.cleaned_data.get(name)
            if centre and centre.closed_at:
                self.add_error(name, CostCentreClosed(cost_centre=centre.pk).detail)
        return super().clean()
