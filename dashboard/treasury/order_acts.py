"""What people may do for refunds and payouts alike: say what came of one, and cancel it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

from django import forms

from dashboard.acts import Act, ActForm, NoQuestions, Outcome, Perform
from security.actor import Actor
from treasury.models import MoneyOrder, PaymentStatus

PROPOSE = "treasury.propose_purchase"
_NOT_SENT = (PaymentStatus.PROPOSED, PaymentStatus.APPROVED)


class OrderForm(ActForm):
    """Asks how much, and why."""

    amount = forms.DecimalField(
        min_value=0, max_digits=20, decimal_places=2, help_text="What goes to the bank account."
    )
    # Sent twice, it is made once.
    key = forms.UUIDField(initial=uuid4, widget=forms.HiddenInput)
    field_order = ("amount", "reason")


class _ReferenceForm(NoQuestions):
    """Asks how it is named."""

    reference = forms.CharField(
        max_length=200, help_text="How the rail, the bank or the provider's credit note names it."
    )


def order_acts(  # noqa: PLR0913  (each by name)
    noun: str,
    *,
    confirm: Callable[..., MoneyOrder],
    made: str,
    deny: Callable[..., MoneyOrder],
    not_made: str,
    cancel: Callable[..., MoneyOrder],
) -> list[Act]:
    """The acts on the page of one kind of orders, with the services that perform them. `made` and
    `not_made`: what a person must know to say so."""

    def by(service: Callable[..., MoneyOrder], outcome: str) -> Perform:
        def perform(row: MoneyOrder, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
            service(row.pk, **asked, actor=actor, now=now)
            return f"{noun} {row.pk} {outcome}."

        return perform

    def waits(row: MoneyOrder) -> bool:
        return row.status == PaymentStatus.NEEDS_PERSON

    return [
        Act(
            name="confirm",
            button="It was made",
            about=made,
            permission=PROPOSE,
            form=_ReferenceForm,
            applies=waits,
            perform=by(confirm, "is booked"),
        ),
        Act(
            name="deny",
            button="It was not made",
            about=not_made,
            permission=PROPOSE,
            applies=waits,
            perform=by(deny, "was not made"),
        ),
        Act(
            name="cancel",
            button="Cancel",
            about="Nothing was sent yet, and nothing will be.",
            permission=PROPOSE,
            applies=lambda row: row.status in _NOT_SENT,
            perform=by(cancel, "is cancelled"),
        ),
    ]
