"""Every refusal of approvals. `butler_site.errors` gives each its status."""

from dataclasses import dataclass

from common.refusal import Refusal


@dataclass(kw_only=True, eq=False)
class ApprovalNotFound(Refusal):
    """The approval does not exist, or somebody else asked for it."""

    approval_id: int

    def sentence(self) -> str:
        return f"The approval {self.approval_id} does not exist."


@dataclass(kw_only=True, eq=False)
class ApprovalDecided(Refusal):
    """The approval was decided, withdrawn or has expired; that is never changed."""

    approval_id: int
    approval_status: str

    def sentence(self) -> str:
        return f"The approval {self.approval_id} is already {self.approval_status}."


@dataclass(kw_only=True, eq=False)
class ApprovalOutdated(Refusal):
    """What the change was based on no longer holds; nothing was changed."""


@dataclass(kw_only=True, eq=False)
class SecondPersonNeeded(Refusal):
    """The person asked for the change, or could have asked with another account or token."""

    approval_id: int

    def sentence(self) -> str:
        return (
            f"You asked for the approval {self.approval_id}, or could have asked with another "
            "account or with a token of the agent. Let somebody else decide."
        )


@dataclass(kw_only=True, eq=False)
class NotADecider(Refusal):
    """The person lacks the permission, or is not of the group, that decides this kind."""

    approval_id: int
    kind: str

    def sentence(self) -> str:
        return f"You may not decide approvals of the kind {self.kind}."


@dataclass(kw_only=True, eq=False)
class NotTheAsker(Refusal):
    """Only who asked for the change can withdraw it."""

    approval_id: int

    def sentence(self) -> str:
        return f"Somebody else asked for the approval {self.approval_id}. You can reject it."


@dataclass(kw_only=True, eq=False)
class RequestMismatch(Refusal):
    """The idempotency key was already used to ask for a different change."""

    approval_id: int

    def sentence(self) -> str:
        return (
            "The idempotency key was already used for a different request. Send a new key with a "
            "new request."
        )


@dataclass(kw_only=True, eq=False)
class TooFewDeciders(Refusal):
    """Fewer than two persons may decide this kind, so nothing of it could be approved."""

    kind: str

    def sentence(self) -> str:
        return (
            f"Fewer than two persons may decide changes of the kind {self.kind}, so nobody could "
            "approve what one of them asks for. Give the permission to a second person first, with "
            "another e-mail address."
        )
