"""The Treasury: cash, credit and purchases; an account, a purchase and a policy."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.acts import Act, confirmation, opened_dialog, performed
from dashboard.exports import exported
from dashboard.treasury.acts import ACCOUNT_ACTS, OFFICE_ACTS, POLICY_ACTS, PURCHASE_ACTS
from dashboard.treasury.balance_acts import CREDIT_ACTS
from dashboard.treasury.credit_page import credit_of_account
from dashboard.treasury.refund_acts import ASK_REFUND
from dashboard.treasury.tables import (
    USD,
    accounts_table,
    play_accounts,
    purchases_table,
    transfers_table,
)
from treasury.models import (
    Account,
    AccountKind,
    Payee,
    Purchase,
    PurchaseMethod,
    PurchasePolicy,
    PurchaseReceipt,
    PurchaseStatus,
)
from treasury.queries import (
    credits,
    dry_run,
    effective_credit,
    exchanged,
    price_of_100,
    purchase_fees,
    runway,
)
from treasury.queries.balances_of_credit import Told, told_balances, whole_credits
from treasury.queries.consumption import with_provider_paces
from treasury.queries.credit import Runway

tables.register("treasury-accounts", accounts_table, permission="treasury.view_account")
tables.register("treasury-purchases", purchases_table, permission="treasury.view_purchase")
_METHODS = ["GET", "HEAD", "POST"]
_TRIED_DAYS = 30
# Of a page, in which each credit takes a query.
_CREDITS_MAX = 8


class Credit(NamedTuple):
    """A provider's credit as the overview shows it."""

    account: Account
    policy: PurchasePolicy | None
    runway: Runway
    is_play_money: bool
    whole: Decimal
    told: Told | None


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("treasury.view_account", raise_exception=True)
@exported("treasury-accounts", "treasury-purchases")
def treasury(request: HttpRequest) -> HttpResponse:
    """GET /treasury: cash, credit, what waits; `act` opens a dialog. POST: do what it asks."""
    acts, dialog, done = _act(request, OFFICE_ACTS, None, links.url("treasury"))
    if done:
        return done
    now = timezone.now()
    payees = list(Payee.objects.values_list("credit_account_id", "is_play_money"))
    waiting = Purchase.objects.filter(status=PurchaseStatus.NEEDS_PERSON).select_related("payee")
    context = {
        "acts": acts,
        "dialog": dialog,
        "credits": _credits({pk for pk, is_play in payees if is_play}, now),
        "waiting": visible_to(request.user, waiting)[:10],
        "accounts": accounts_table(request.user, request.GET, now),
        "purchases": purchases_table(request.user, request.GET, now),
        "has_payees": bool(payees),
    }
    return render(request, "dashboard/treasury/overview.html", context)


def _credits(play: set[int], now: datetime) -> list[Credit]:
    policies = {each.pk: each for each in PurchasePolicy.objects.select_related("payee")}
    accounts = credits()[:_CREDITS_MAX]
    whole, told = whole_credits(accounts), told_balances(accounts)
    return [
        Credit(
            each,
            policies.get(each.pk),
            runway(each, whole=whole[each.pk], now=now),
            each.pk in play,
            whole[each.pk],
            told.get(each.pk),
        )
        for each in accounts
    ]


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("treasury.view_account", raise_exception=True)
def account(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /treasury/accounts/7: the account with its transfers and the balance after each;
    `act` opens a dialog. POST: do what it asks."""
    rows = with_provider_paces(Account.objects.select_related("balance_access", "spend_cap"))
    found = get_object_or_404(visible_to(request.user, rows), pk=pk)
    acts, dialog, done = _act(
        request, [*ACCOUNT_ACTS, *CREDIT_ACTS], found, links.url("account", pk)
    )
    if done:
        return done
    now = timezone.now()
    context = {
        **(credit_of_account(found, now=now) if found.kind == AccountKind.CREDIT else {}),
        "account": found,
        "acts": acts,
        "dialog": dialog,
        "is_play_money": found.pk in play_accounts(),
        "is_usd": found.currency == USD,
        "table": transfers_table(found, request.GET),
    }
    return render(request, "dashboard/treasury/account.html", context)


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("treasury.view_purchase", raise_exception=True)
def purchase(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /treasury/purchases/7: its timeline; `act` opens a dialog. POST: do what it asks."""
    rows = visible_to(request.user, Purchase.objects.select_related("payee", "policy", "pending"))
    found = get_object_or_404(rows, pk=pk)
    acts, dialog, done = _act(
        request, [*PURCHASE_ACTS, ASK_REFUND], found, links.url("purchase", pk)
    )
    if done:
        return done
    context = {
        "purchase": found,
        "acts": acts,
        "dialog": dialog,
        "fees": purchase_fees(found),
        "paid": exchanged(found),
        "steps": found.steps.order_by("-pk"),
        "attempts": found.attempts.order_by("-number")[:20],
        "refunds": found.refunds.all(),
        "receipts": found.receipts.defer("content"),
        "evidence": found.evidence.select_related("snapshot").defer("snapshot__content"),
        "is_paid_by_person": found.payee.method == PurchaseMethod.PERSON,
    }
    return render(request, "dashboard/treasury/purchase.html", context)


@never_cache
@require_safe
@staff_member_required
@permission_required("treasury.view_purchase", raise_exception=True)
def receipt(request: HttpRequest, pk: int, receipt_id: int) -> HttpResponse:
    """GET /treasury/purchases/7/receipts/3: the file, as a download that no browser opens here."""
    purchases = visible_to(request.user, Purchase.objects.all())
    found = get_object_or_404(
        PurchaseReceipt, pk=receipt_id, purchase_id=pk, purchase__in=purchases
    )
    answer = HttpResponse(bytes(found.content), content_type=found.media_type)
    answer["Content-Disposition"] = f'attachment; filename="{found.download_name}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("treasury.view_purchasepolicy", raise_exception=True)
def purchase_policy(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /treasury/policies/7: its bounds, and what it would have bought in the last 30 days;
    `act` opens a dialog. POST: do what it asks."""
    rows = PurchasePolicy.objects.select_related(
        "credit_account", "payee__rail_account", "payee__credit_account"
    )
    found = get_object_or_404(visible_to(request.user, rows), pk=pk)
    acts, dialog, done = _act(request, POLICY_ACTS, found, links.url("purchase_policy", pk))
    if done:
        return done
    now = timezone.now()
    context = {
        "policy": found,
        "price": price_of_100(found.payee, now=now),
        "acts": acts,
        "dialog": dialog,
        "credit": effective_credit(found),
        "tried": dry_run(found, since=now - timedelta(days=_TRIED_DAYS), until=now),
        "tried_days": _TRIED_DAYS,
    }
    return render(request, "dashboard/treasury/policy.html", context)


def _act(
    request: HttpRequest, acts: Iterable[Act], subject: Any, back: str
) -> tuple[list[Act], Any, HttpResponse | None]:
    """The acts of the person, the open dialog, and the answer if it was sent and done."""
    own = [act for act in acts if act.is_for(request.user, subject)]
    dialog = opened_dialog(request, own, subject)
    if dialog and (first := confirmation(request, dialog)):
        return own, dialog, first
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, subject):
            return own, dialog, redirect(back)
    return own, dialog, None
