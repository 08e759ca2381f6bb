"""Adjustments of charges: the list, the page of one, and the dialog that makes one."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminIntegerFieldWidget

from common.admin import widgets
from common.admin.dialogs import reason_field
from common.admin.read_only import ReadOnlyAdmin
from keys import services as keys
from keys.books.queries.charges import figures
from keys.models import FIGURES, Adjustment, Charge


class AdjustmentForm(BaseDialogForm):
    """Asks what a charge counts for, beginning with what it counts for now."""

    def __init__(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        # 0 is no charge: the address may name anything.
        self.charge_id = int(object_id) if object_id.isdecimal() else 0
        charge = Charge.objects.filter(pk=self.charge_id).first()
        counted = figures(charge) if charge else dict.fromkeys(FIGURES, 0)
        tokens, cost = counted.pop("tokens"), counted.pop("cost")
        self.fields |= {name: _count_field(name, number) for name, number in counted.items()}
        self.fields["tokens"] = forms.IntegerField(
            required=False,
            initial=None
            if tokens == counted["input_tokens"] + counted["output_tokens"]
            else tokens,
            widget=UnfoldAdminIntegerFieldWidget(),
            help_text=f"Now {tokens:,}. Leave it empty for the sum of input and output tokens.",
        )
        self.fields["cost"] = forms.DecimalField(
            label="Cost in US dollars",
            required=False,
            widget=UnfoldAdminDecimalFieldWidget(),
            help_text=f"Now {cost:f}. Leave it empty to use the price of the charge.",
        )
        self.fields["reason"] = reason_field()

    @property
    def usage(self) -> keys.Usage:
        """The entered counts."""
        entered = {name: self.cleaned_data[name] for name in FIGURES if name != "cost"}
        return keys.Usage(total=entered.pop("tokens"), **entered)

    @property
    def cost(self) -> Decimal | None:
        """The entered cost in USD; None for that of the price."""
        cost: Decimal | None = self.cleaned_data["cost"]
        return cost


def _count_field(name: str, number: int) -> forms.IntegerField:
    return forms.IntegerField(
        label=name.replace("_", " ").capitalize(),
        initial=number,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=f"Now {number:,}.",
    )


def difference(adjustment: Adjustment) -> str:
    """The difference in tokens and in USD, with signs."""
    return f"{adjustment.tokens:+,} tokens, {adjustment.cost:+f} USD"


@admin.register(Adjustment)
class AdjustmentAdmin(ReadOnlyAdmin):
    """The list of adjustments, newest first, and the page of one."""

    list_display = (
        "id",
        "charge_link",
        "session",
        "key_name",
        "difference",
        "adjusted_by",
        "reason",
        "moment",
    )
    list_filter = ("adjusted_by",)
    list_select_related = ("charge__allocation",)
    search_fields = ("charge__exact",)
    search_help_text = "The number of a charge"
    ordering = ("-id",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "charge_link",
                    "session",
                    "key_name",
                    "reason",
                    "adjusted_by",
                    "moment",
                    "idempotency_key",
                )
            },
        ),
        ("Difference to the figures before", {"fields": tuple(FIGURES)}),
    )

    def audit_subject(self, obj: Adjustment) -> str:
        """The charge, which the audit entry of the adjustment names."""
        return f"charge:{obj.charge_id}"

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow the filter by charge, which the page of a charge links to."""
        return lookup == "charge__id__exact" or super().lookup_allowed(lookup, value, request)

    @display(description="Charge")
    def charge_link(self, adjustment: Adjustment) -> SafeString | str:
        """The charge that was adjusted, as a link."""
        return widgets.link("charge", adjustment.charge_id)

    @display(description="Session")
    def session(self, adjustment: Adjustment) -> SafeString | str:
        """The allocation that paid, as a link."""
        allocation = adjustment.charge.allocation
        return widgets.link("allocation", allocation.pk, allocation.session_id)

    @display(description="API key")
    def key_name(self, adjustment: Adjustment) -> SafeString | str:
        """The API key that the call used, as a link."""
        return widgets.link("key", adjustment.charge.api_key_id)

    @display(description="Difference")
    def difference(self, adjustment: Adjustment) -> SafeString | str:
        """The difference in tokens and in USD."""
        return widgets.one_line(difference(adjustment))

    @display(description="Adjusted (UTC)")
    def moment(self, adjustment: Adjustment) -> SafeString | str:
        """When the charge was adjusted."""
        return widgets.moment(adjustment.created_at)
