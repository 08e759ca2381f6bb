"""What the page of an account has besides, if it is the credit of a provider."""

from datetime import datetime
from typing import Any

from dashboard.treasury.tables import readings_table
from treasury.balances.formats import usual_format
from treasury.models import Account
from treasury.queries import runway
from treasury.queries.balances_of_credit import in_transit, told_balance, whole_credits
from treasury.queries.consumption import provider_of

_EXPIRING = 50


def credit_of_account(account: Account, *, now: datetime) -> dict[str, Any]:
    """The provider's figure and the ledger's, how long the credit lasts, and what of it expires."""
    expiring = list(account.expiring_credits.select_related("account")[:_EXPIRING])
    whole = whole_credits([account])[account.pk]
    return {
        "lasts": runway(account, whole=whole, now=now),
        "whole": whole,
        "in_transit": in_transit(account),
        "told": told_balance(account),
        "cap": getattr(account, "spend_cap", None),
        "access": getattr(account, "balance_access", None),
        "can_be_read": bool(usual_format(provider_of(account))),
        "expiring": expiring,
        "readings": readings_table(account),
    }
