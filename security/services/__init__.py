"""Seal a secret into a row, unseal it, re-seal all secrets; seal rows into the audit chain; ask for
changes and decide them; name deputies."""

from security.audit_chain.seal import seal_rows
from security.sealed_rows import seal_into, unseal_from
from security.services.approval_policies import (
    PolicyTerms,
    propose_policy,
    terms_in_words,
    terms_of,
)
from security.services.approvals import approve, ask_approval, expire_approvals, reject, withdraw
from security.services.delegations import (
    NAME_DEPUTIES,
    DelegationTerms,
    name_deputy,
    revoke_delegation,
)
from security.services.rekey_vault import Progress, RekeyResult, prune_vault, rekey_vault

__all__ = [
    "NAME_DEPUTIES",
    "DelegationTerms",
    "PolicyTerms",
    "Progress",
    "RekeyResult",
    "approve",
    "ask_approval",
    "expire_approvals",
    "name_deputy",
    "propose_policy",
    "prune_vault",
    "reject",
    "rekey_vault",
    "revoke_delegation",
    "seal_into",
    "seal_rows",
    "terms_in_words",
    "terms_of",
    "unseal_from",
    "withdraw",
]
