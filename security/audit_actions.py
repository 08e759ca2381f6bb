"""What `security` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on the vault, on approvals and on deputies."""

    VAULT_REKEY = "vault.rekey"
    VAULT_PRUNE = "vault.prune"
    APPROVAL_ASK = "approval.ask"
    APPROVAL_FIRST_YES = "approval.first_yes"
    APPROVAL_APPROVE = "approval.approve"
    APPROVAL_REJECT = "approval.reject"
    APPROVAL_WITHDRAW = "approval.withdraw"
    APPROVAL_EXPIRE = "approval.expire"
    APPROVAL_POLICY_CHANGE = "approval_policy.change"
    DELEGATION_CREATE = "delegation.create"
    DELEGATION_REVOKE = "delegation.revoke"
