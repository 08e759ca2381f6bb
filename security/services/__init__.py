"""Seal a secret into a row, unseal it, re-seal all secrets; seal rows into the audit chain; ask for
changes and decide them."""

from security.audit_chain.seal import seal_rows
from security.sealed_rows import seal_into, unseal_from
from security.services.approval_policies import (
    PolicyTerms,
    propose_policy,
    terms_in_words,
    terms_of,
)
from security.services.approvals import approve, ask_approval, expire_approvals, reject, withdraw
from security.services.rekey_vault import Progress, RekeyResult, prune_vault, rekey_vault

__all__ = [
    "PolicyTerms",
    "Progress",
    "RekeyResult",
    "approve",
    "ask_approval",
    "expire_approvals",
    "propose_policy",
    "prune_vault",
    "reject",
    "rekey_vault",
    "seal_into",
    "seal_rows",
    "terms_in_words",
    "terms_of",
    "unseal_from",
    "withdraw",
]
