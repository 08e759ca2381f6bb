"""Every write of the app."""

from treasury.services.accounts import AccountTerms, open_account
from treasury.services.close_period import close_period
from treasury.services.pending import (
    begin_pending,
    expire_pending,
    post_pending,
    void_pending,
)
from treasury.services.transfer import Entry, transfer

__all__ = [
    "AccountTerms",
    "Entry",
    "begin_pending",
    "close_period",
    "expire_pending",
    "open_account",
    "post_pending",
    "transfer",
    "void_pending",
]
