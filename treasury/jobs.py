"""What the queue runs for the app."""

import logging
from collections.abc import Callable

from django.utils import timezone

from common.refusal import Refusal
from security.actor import Actor
from treasury import services as treasury
from treasury.ledger_days import ledger_day
from treasury.models import (
    Account,
    BalanceAccess,
    ExpiringCredit,
    PurchasePolicy,
    ReportAccess,
    SpendCap,
)
from treasury.queries import (
    credits,
    due_collections,
    due_payouts,
    due_refunds,
    events_to_read,
    reports_to_fetch,
    statements_to_fetch,
    statements_to_match,
)
from treasury.services.fetch_rail_statement import last_day_over

logger = logging.getLogger(__name__)

# Approved, reserved, sent, settled: more steps follow by the answers of a rail.
_STEPS_MAX = 4


def expire_pending_transfers() -> int:
    """Every minute: give back what pending transfers have set aside for too long."""
    now = timezone.now()
    return treasury.expire_pending(today=ledger_day(now), now=now)


def expire_x402_payments() -> int:
    """Every minute: give back what agents have not used of signed payments; how many there were."""
    return treasury.expire_payments(now=timezone.now())


def carry_on_purchases() -> int:
    """Every minute: carry on the purchases that do not wait for a person; how many there were."""
    claimed = treasury.claim_purchases(now=timezone.now())
    for purchase_id in claimed:
        _carry_on(purchase_id)
    return len(claimed)


def post_consumption() -> int:
    """Every five minutes: post what was consumed of each credit, then buy where it is too little.

    Returns how many transfers were posted.
    """
    count = sum(treasury.post_consumption(credit, now=timezone.now()) for credit in credits())
    for policy_id in PurchasePolicy.objects.filter(is_automatic=True).values_list("pk", flat=True):
        _buy(policy_id)
    return count


def adjust_approved() -> int:
    """After an approval, and every five minutes: correct the charges whose correction a second
    person has approved; how many."""
    return treasury.adjust_approved(actor=Actor.job("reconciliation"), now=timezone.now())


def fetch_rail_statements() -> int:
    """Every hour: fetch the days that are over from vendors whose statement a person has fetched
    before; how many accounts have a new one."""
    now = timezone.now()
    count = 0
    for account in statements_to_fetch(until=last_day_over(now)):
        try:
            treasury.fetch_rail_statement(account, actor=Actor.job("reconciliation"), now=now)
            count += 1
        except Refusal as refusal:
            logger.warning("The statement of %s waits: %s", account, refusal)
    return count


def fetch_reports() -> int:
    """Every hour: fetch the reports of providers that were asked a day ago, or told none then; how
    many."""
    return sum(fetch_reports_of(each) for each in reports_to_fetch(now=timezone.now()))


def fetch_reports_of(provider: str) -> int:
    """Once, when a person asks: fetch the reports of one provider; how many."""
    try:
        return len(treasury.fetch_reports(provider, now=timezone.now()))
    except ReportAccess.DoesNotExist:
        # Removed since.
        return 0


def fetch_calls_of(difference_id: int) -> int:
    """Once, when a person asks: ask a provider for the calls of a difference; how many it
    answered."""
    return treasury.fetch_calls(difference_id, now=timezone.now())


def match_rail_statements() -> int:
    """Every hour: match statements with what was posted since; how many accounts have some."""
    accounts = list(statements_to_match())
    for account in accounts:
        treasury.match_rail_statements(
            account, actor=Actor.job("reconciliation"), now=timezone.now()
        )
    return len(accounts)


def take_balances() -> int:
    """Every 15 minutes: ask providers for the balances of their credit; how many told one."""
    asked = list(BalanceAccess.objects.values_list("credit_account_id", flat=True))
    return sum(_take(account_id) for account_id in asked)


def take_balance(account_id: int) -> None:
    """Once, when a person asks: ask the provider of one credit."""
    _take(account_id)


def watch_credit() -> int:
    """Every 15 minutes: end credit whose end has come, and tell people of credit that runs out or
    will expire, and of policies at their bounds; how many credits have ended."""
    now = timezone.now()
    for credit in credits():
        treasury.watch_credit(credit.pk, now=now)
    due = ExpiringCredit.objects.filter(ended_at=None, expires_at__lte=now)
    accounts = Account.objects.filter(expiring_credits__in=due).distinct()
    for account in accounts:
        # What was used before the end is paid from it.
        treasury.post_consumption(account, now=now)
    return sum(treasury.expire_credit(pk, now=now) for pk in due.values_list("pk", flat=True))


def watch_transit() -> int:
    """Every hour: tell people of money that has not arrived at another account; how many accounts
    there are."""
    return treasury.watch_transit(now=timezone.now())


def keep_caps() -> int:
    """Every hour: read the limits that providers keep, and set those that differ; how many there
    are."""
    kept = list(SpendCap.objects.values_list("credit_account_id", flat=True))
    for account_id in kept:
        treasury.keep_cap(account_id, now=timezone.now())
    return len(kept)


def keep_cap(account_id: int) -> None:
    """Once, when a person has set one: look at the limit of one credit."""
    treasury.keep_cap(account_id, now=timezone.now())


def _take(account_id: int) -> bool:
    try:
        rows = treasury.take_balance(account_id, now=timezone.now())
    except BalanceAccess.DoesNotExist:
        # Removed since.
        return False
    return not rows[0].error


def _buy(policy_id: int) -> None:
    try:
        treasury.buy_credit(policy_id, now=timezone.now())
    except Refusal as refusal:
        logger.warning("Policy %s buys nothing: %s", policy_id, refusal)


def _carry_on(purchase_id: int) -> None:
    status = ""
    for _ in range(_STEPS_MAX):
        try:
            purchase = treasury.advance_purchase(purchase_id, now=timezone.now())
        except Refusal as refusal:
            logger.warning("Purchase %s waits: %s", purchase_id, refusal)
            return
        if purchase.status == status:
            return
        status = purchase.status


def read_event(event_id: int) -> None:
    """Read what a vendor has told by webhook."""
    try:
        treasury.read_event(event_id, now=timezone.now())
    except Refusal as refusal:
        logger.warning("Event %s waits: %s", event_id, refusal)


def read_events() -> int:
    """Every minute: read the events whose job was lost or failed; how many there were."""
    due = events_to_read(now=timezone.now())
    for event_id in due:
        read_event(event_id)
    return len(due)


def carry_on_collections() -> int:
    """Every minute: ask rails about collections that are due; how many there were."""
    due = due_collections(now=timezone.now())
    return _each("Collection", due, treasury.advance_collection)


def carry_on_refunds() -> int:
    """Every minute: carry on the refunds that are due; how many there were."""
    return _each("Refund", due_refunds(now=timezone.now()), treasury.advance_refund)


def carry_on_payouts() -> int:
    """Every minute: carry on the payouts that are due; how many there were."""
    return _each("Payout", due_payouts(now=timezone.now()), treasury.advance_payout)


def _each(noun: str, due: list[int], advance: Callable[..., object]) -> int:
    for pk in due:
        try:
            advance(pk, now=timezone.now())
        except Refusal as refusal:
            logger.warning("%s %s waits: %s", noun, pk, refusal)
    return len(due)
