"""What people may do in the Treasury: propose payees, policies and purchases, and end purchases."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet

from dashboard.acts import Act, ActForm, NoQuestions, Outcome
from keys.models import Provider
from security.actor import Actor
from treasury import services as treasury
from treasury.models import (
    Account,
    AccountKind,
    Payee,
    Purchase,
    PurchaseMethod,
    PurchasePolicy,
    PurchaseStatus,
)
from treasury.services import (
    BuyingTerms,
    ExchangeTerms,
    PayeeTerms,
    ReceiptFile,
    ReloadInvoice,
)

_PROPOSE = "treasury.propose_purchase"
_NOT_SENT = (PurchaseStatus.PROPOSED, PurchaseStatus.APPROVED, PurchaseStatus.RESERVED)


def _amount(label: str, help_text: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label, min_value=0, max_digits=20, decimal_places=2, help_text=help_text
    )


class PayeeForm(ActForm):
    """Asks who can be paid."""

    slug = forms.SlugField(label="Name", max_length=64, help_text="The name of the payee here.")
    provider = forms.ChoiceField(help_text="The provider that sells the credit.")
    method = forms.ChoiceField(
        choices=PurchaseMethod.choices,
        help_text="Whether Butler pays, a person does, or the provider reloads by itself.",
    )
    rail = forms.SlugField(
        max_length=40,
        initial="simulator",
        help_text="The rail that Butler pays by, or the name of the account or card that pays.",
    )
    destination = forms.CharField(
        max_length=200,
        help_text="How the rail names the payee; else the address of the provider's page.",
    )
    currency = forms.CharField(
        max_length=5,
        required=False,
        label="Currency of the credit",
        help_text="Only where the rail pays another one, such as USD for a rail in USDC: then the "
        "rate of each day counts.",
    )
    field_order = ("slug", "provider", "method", "rail", "destination", "currency", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        providers = Provider.objects.values_list("slug", "name")
        self.fields["provider"].choices = list(providers)  # type: ignore[attr-defined]


class PolicyForm(ActForm):
    """Asks for the terms of a policy."""

    payee = forms.ChoiceField(help_text="Who is paid. The policy is that of the payee's credit.")
    threshold = _amount("Threshold", "Butler buys when there is less credit than this.")
    target = _amount("Target", "Butler buys up to this much credit.")
    per_purchase_max = _amount("Most per purchase", "The most that one purchase may cost.")
    daily_max = _amount("Most per day", "The most that all purchases of a day may cost.")
    monthly_max = _amount("Most per month", "The most that all purchases of a month may cost.")
    approval_above = _amount("Approval above", "A purchase above this needs a second person.")
    cool_off_minutes = forms.IntegerField(
        min_value=1,
        max_value=10_000,
        initial=60,
        help_text="How long Butler waits after each attempt. Declines in a row double it.",
    )
    declines_max = forms.IntegerField(
        label="Declines",
        min_value=1,
        max_value=100,
        initial=4,
        help_text="After so many declines in a row, the policy is paused.",
    )
    quiet_from = forms.TimeField(required=False, help_text="Butler buys nothing from this hour on.")
    quiet_until = forms.TimeField(required=False, help_text="Butler buys again at this hour.")
    zone = forms.CharField(max_length=64, initial="UTC", help_text="The zone of days and hours.")
    is_automatic = forms.BooleanField(
        label="Butler buys by itself",
        required=False,
        help_text="Otherwise people propose purchases, within the same bounds.",
    )

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        payees = Payee.objects.filter(retired_at=None).values_list("slug", flat=True)
        self.fields["payee"].choices = [(slug, slug) for slug in payees]  # type: ignore[attr-defined]
        self.order_fields([name for name in self.fields if name != "reason"])


class PurchaseForm(ActForm):
    """Asks how much."""

    amount = forms.DecimalField(
        max_digits=20, decimal_places=2, help_text="How much credit is bought, without fees."
    )
    field_order = ("amount", "reason")


class FundingForm(NoQuestions):
    """Asks what has come."""

    amount = forms.DecimalField(
        max_digits=20, decimal_places=2, help_text="What has come to the rail, without fees."
    )
    reference = forms.CharField(
        max_length=200, help_text="How the bank or the rail names it, such as a statement's line."
    )
    # Sent twice, it is recorded once.
    key = forms.UUIDField(initial=uuid4, widget=forms.HiddenInput)


class FeeForm(NoQuestions):
    """Asks what the rail took."""

    amount = forms.DecimalField(
        max_digits=30, decimal_places=9, help_text="What the rail took besides the purchase."
    )
    reference = forms.CharField(
        max_length=200, help_text="How the rail names the fee, such as a statement's line."
    )
    # Sent twice, it is recorded once.
    key = forms.UUIDField(initial=uuid4, widget=forms.HiddenInput)


class ExchangeForm(NoQuestions):
    """Asks what was exchanged, of a rail in one currency for one in another."""

    bought_account = forms.ChoiceField(label="Into", help_text="The account that it came to.")
    sold = forms.DecimalField(
        max_digits=30, decimal_places=9, help_text="What has left this account."
    )
    bought = forms.DecimalField(
        max_digits=30, decimal_places=9, help_text="What has come to the other account."
    )
    effective_on = forms.DateField(
        label="Day",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="When it was exchanged. The rate of that day counts.",
    )
    reference = forms.CharField(max_length=200, help_text="How the bank or rail names it.")
    # Sent twice, it is recorded once.
    key = forms.UUIDField(initial=uuid4, widget=forms.HiddenInput)

    def __init__(self, subject: Account, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        names = _other_currencies(subject).values_list("name", flat=True)
        self.fields["bought_account"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]


def _other_currencies(account: Account) -> QuerySet[Account]:
    return Account.objects.filter(kind=AccountKind.RAIL).exclude(currency=account.currency)


class ReceiptForm(ActForm):
    """Asks for the receipt."""

    receipt = forms.CharField(max_length=200, help_text="The number of the provider's receipt.")
    file = forms.FileField(
        label="Receipt as a file",
        required=False,
        help_text="A PDF, PNG or JPEG of up to 2 MB. It is kept as long as the ledger.",
    )
    reason = None  # type: ignore[assignment]


class ReloadForm(NoQuestions):
    """Asks what the provider's invoice says."""

    amount = forms.DecimalField(
        max_digits=20, decimal_places=2, help_text="What the invoice says, with taxes."
    )
    occurred_on = forms.DateField(
        label="Day",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The day on which the provider reloaded the credit.",
    )
    invoice = forms.CharField(max_length=200, help_text="The number of the provider's invoice.")
    file = forms.FileField(
        label="Invoice as a file",
        required=False,
        help_text="A PDF, PNG or JPEG of up to 2 MB. It is kept as long as the ledger.",
    )


class ReceiptFileForm(NoQuestions):
    """Asks for a file."""

    file = forms.FileField(
        help_text="A PDF, PNG or JPEG of up to 2 MB. The same file is kept once."
    )


def _propose_payee(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    reason = asked.pop("reason")
    return treasury.propose_payee(PayeeTerms(**asked), reason=reason, actor=actor, now=now)[0]


def _propose_policy(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    reason, minutes = asked.pop("reason"), asked.pop("cool_off_minutes")
    terms = BuyingTerms(**asked, cool_off_seconds=minutes * 60)
    return treasury.propose_policy(terms, reason=reason, actor=actor, now=now)[0]


def _buy(policy: PurchasePolicy, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    amount: Decimal = asked["amount"]
    purchase = treasury.propose_purchase(
        policy.pk, amount, reason=asked["reason"], actor=actor, now=now
    )
    return purchase.approval or f"Purchase {purchase.pk} is under way."


def _record_reload(
    policy: PurchasePolicy, asked: dict[str, Any], actor: Actor, now: datetime
) -> Outcome:
    uploaded = asked.pop("file")
    invoice = ReloadInvoice(**asked, file=_file(uploaded) if uploaded else None)
    purchase, is_new = treasury.record_reload(policy.pk, invoice, actor=actor, now=now)
    if not is_new:
        return f"It is purchase {purchase.pk}, which was seen before. It is booked once."
    return f"Purchase {purchase.pk} is booked."


def _fund(account: Account, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    amount: Decimal = asked.pop("amount")
    recorded = treasury.record_funding(account, amount, actor=actor, now=now, **asked)
    return f"Transfer {recorded.pk} is recorded."


def _exchange(account: Account, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    key = asked.pop("key")
    terms = ExchangeTerms(sold_account=account.name, **asked)
    rows = treasury.record_exchange(terms, key=key, actor=actor, now=now)
    return (
        f"The exchange is recorded as transfers {rows[0].pk} and {rows[1].pk}, by {rows[0].rate}."
    )


def _pause(policy: PurchasePolicy, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.pause_policy(policy.pk, reason=asked["reason"], actor=actor, now=now)
    return "The policy is paused: nothing is bought until somebody resumes it."


def _resume(policy: PurchasePolicy, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.resume_policy(policy.pk, reason=asked["reason"], actor=actor, now=now)
    return "The policy is resumed."


def _confirm(purchase: Purchase, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    uploaded = asked["file"]
    file = _file(uploaded) if uploaded else None
    treasury.confirm_purchase(
        purchase.pk, receipt=asked["receipt"], file=file, actor=actor, now=now
    )
    return f"Purchase {purchase.pk} is credit now."


def _add_receipt(purchase: Purchase, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    receipt, is_new = treasury.add_receipt(purchase.pk, _file(asked["file"]), actor=actor, now=now)
    if not is_new:
        return f"This is receipt {receipt.pk} already. Nothing was changed."
    return f"Receipt {receipt.pk} is kept."


def _file(uploaded: "UploadedFile[Any]") -> ReceiptFile:
    return ReceiptFile(content=uploaded.read(), name=uploaded.name or "")


def _deny(purchase: Purchase, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.deny_purchase(purchase.pk, reason=asked["reason"], actor=actor, now=now)
    return f"Purchase {purchase.pk} was not paid: its money is free again."


def _fee(purchase: Purchase, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    amount: Decimal = asked.pop("amount")
    recorded = treasury.record_fee(purchase.pk, amount, actor=actor, now=now, **asked)
    return f"The fee is recorded as transfer {recorded.pk}."


def _cancel(purchase: Purchase, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.cancel_purchase(purchase.pk, reason=asked["reason"], actor=actor, now=now)
    return f"Purchase {purchase.pk} is cancelled."


def _is_reloaded(policy: PurchasePolicy) -> bool:
    """Whether the provider buys, and Butler only books it."""
    return policy.payee.method == PurchaseMethod.VENDOR


OFFICE_ACTS = [
    Act(
        name="payee",
        button="Propose a payee",
        about="A second person puts it on the list of those who can be paid. Its terms never "
        "change: another destination is another payee.",
        permission=_PROPOSE,
        form=PayeeForm,
        perform=_propose_payee,
    ),
    Act(
        name="policy",
        button="Propose a policy",
        about="A second person sets it. It bounds all purchases of a provider's credit, by "
        "people and by Butler, and replaces the policy there was.",
        permission=_PROPOSE,
        form=PolicyForm,
        applies=lambda subject: Payee.objects.filter(retired_at=None).exists(),
        perform=_propose_policy,
    ),
]
ACCOUNT_ACTS = [
    Act(
        name="funding",
        button="Record funding",
        about="Money has come to this rail from outside. This moves no money: it says what is "
        "there, so that purchases can be paid from it.",
        permission=_PROPOSE,
        form=FundingForm,
        applies=lambda account: account.kind == AccountKind.RAIL,
        perform=_fund,
    ),
    Act(
        name="exchange",
        button="Record an exchange",
        about="A bank or rail has exchanged money of this account into another currency. This "
        "moves no money. What was bought is compared with the rate of the day: the rest is a "
        "gain or loss.",
        permission="treasury.record_rates",
        form=ExchangeForm,
        applies=lambda account: (
            account.kind == AccountKind.RAIL and _other_currencies(account).exists()
        ),
        perform=_exchange,
    ),
]
POLICY_ACTS = [
    Act(
        name="buy",
        button="Buy credit",
        about="The purchase is made within the bounds of the policy, once. Above the amount that "
        "the policy names, a second person approves it.",
        permission=_PROPOSE,
        form=PurchaseForm,
        applies=lambda policy: policy.paused_at is None and not _is_reloaded(policy),
        perform=_buy,
    ),
    Act(
        name="reload",
        button="Record a reload",
        about="The provider has reloaded the credit by itself. This moves no money: it says what "
        "was paid. The same invoice is recorded once, and so is what was seen in the balance.",
        permission=_PROPOSE,
        form=ReloadForm,
        applies=_is_reloaded,
        perform=_record_reload,
    ),
    Act(
        name="pause",
        button="Pause",
        about="Nothing is bought until somebody resumes it. What was sent is carried on.",
        permission=_PROPOSE,
        applies=lambda policy: policy.paused_at is None,
        perform=_pause,
    ),
    Act(
        name="resume",
        button="Resume",
        about="Purchases are made again. Declines are counted from the beginning.",
        permission=_PROPOSE,
        applies=lambda policy: policy.paused_at is not None,
        perform=_resume,
    ),
]
PURCHASE_ACTS = [
    Act(
        name="confirm",
        button="Confirm the payment",
        about="You have paid it, or you see in the rail's console that it was paid, and the "
        "provider shows the credit.",
        permission=_PROPOSE,
        form=ReceiptForm,
        applies=lambda purchase: purchase.status == PurchaseStatus.NEEDS_PERSON,
        perform=_confirm,
    ),
    Act(
        name="credited",
        button="It is credit",
        about="The rail has paid, and you see the credit at the provider. The money moves from in "
        "transit to the credit.",
        permission=_PROPOSE,
        form=ReceiptForm,
        applies=lambda purchase: (
            purchase.status == PurchaseStatus.SETTLED and purchase.reversed_at is None
        ),
        perform=_confirm,
    ),
    Act(
        name="deny",
        button="It was not paid",
        about="You know that no money left and none will. What is set aside is free again.",
        permission=_PROPOSE,
        applies=lambda purchase: purchase.status == PurchaseStatus.NEEDS_PERSON,
        perform=_deny,
    ),
    Act(
        name="receipt",
        button="Add a receipt",
        about="The file is kept as it is, with its SHA-256, as long as the ledger. It cannot be "
        "removed. Who may see the purchase may download it.",
        permission=_PROPOSE,
        form=ReceiptFileForm,
        applies=lambda purchase: purchase.reserved_at is not None,
        perform=_add_receipt,
    ),
    Act(
        name="fee",
        button="Record a fee",
        about="The rail took a fee for this purchase and did not tell it. This moves no money: it "
        "says what has left the rail, to the account of its fees.",
        permission=_PROPOSE,
        form=FeeForm,
        applies=lambda purchase: (
            purchase.settled_at is not None and purchase.pending_id is not None
        ),
        perform=_fee,
    ),
    Act(
        name="cancel",
        button="Cancel",
        about="Nothing was sent yet, and nothing will be.",
        permission=_PROPOSE,
        applies=lambda purchase: purchase.status in _NOT_SENT,
        perform=_cancel,
    ),
]
