"""What people may do for payments of agents to services: propose an allowance."""

from datetime import datetime
from typing import Any

from django import forms

from dashboard.acts import Act, ActForm, Outcome
from keys.models import Agent
from security.actor import Actor
from treasury import services as treasury
from treasury.models import RailAccount
from treasury.services import AllowanceTerms

_KIND = "x402"


class AllowanceForm(ActForm):
    """Asks what an agent may pay, and to whom."""

    agent = forms.ChoiceField(help_text="The agent that may have payments signed.")
    rail = forms.ChoiceField(label="Wallet", help_text="The rail of x402 that signs.")
    per_payment_max = forms.DecimalField(
        label="Most per payment",
        max_digits=20,
        decimal_places=6,
        help_text="The most that one payment may cost, in USDC.",
    )
    daily_max = forms.DecimalField(
        label="Most per day",
        max_digits=20,
        decimal_places=6,
        help_text="The most that all payments of a day in UTC may cost.",
    )
    monthly_max = forms.DecimalField(
        label="Most per month",
        max_digits=20,
        decimal_places=6,
        help_text="The most that all payments of a month in UTC may cost.",
    )
    payees = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=3000,
        help_text="The addresses that may be paid, one in each line.",
    )

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        agents = Agent.objects.order_by("pk").values_list("pk", flat=True)
        wallets = RailAccount.objects.filter(kind=_KIND).values_list("slug", flat=True)
        self.fields["agent"].choices = [(slug, slug) for slug in agents]  # type: ignore[attr-defined]
        self.fields["rail"].choices = [(slug, slug) for slug in wallets]  # type: ignore[attr-defined]
        self.order_fields([name for name in self.fields if name != "reason"])


def _allow(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    reason, payees = asked.pop("reason"), asked.pop("payees").split()
    terms = AllowanceTerms(**asked, payees=payees)
    return treasury.propose_allowance(terms, reason=reason, actor=actor, now=now)


X402_ACTS = [
    Act(
        name="allow",
        button="Propose an allowance",
        about="A second person sets it. It bounds what an agent may pay to services that answer "
        "HTTP 402, names who may be paid, and replaces the allowance there was. Only play money "
        "of testnets is paid.",
        permission="treasury.propose_purchase",
        form=AllowanceForm,
        applies=lambda subject: RailAccount.objects.filter(kind=_KIND).exists(),
        perform=_allow,
    )
]
