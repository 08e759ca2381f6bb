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
class AnotherPersonNeeded(Refusal):
    """Two persons have to approve the change, and the first of them, or their deputy, did so."""

    approval_id: int
    first: str

    def sentence(self) -> str:
        return (
            f"{self.first} approved the request {self.approval_id} first, which counts for you, "
            "too. It takes another person: let somebody else decide."
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


@dataclass(eq=False)
class DelegationNotAllowed(Refusal):
    """Only the absent person, or who may name deputies for others, names or revokes a deputy."""

    def sentence(self) -> str:
        return (
            "You may not name or revoke this deputy. A person does that for themself, or an "
            "administrator who is not the deputy; for a superuser, another superuser."
        )


@dataclass(kw_only=True, eq=False)
class DelegationNotFound(Refusal):
    """The delegation does not exist."""

    delegation_id: int

    def sentence(self) -> str:
        return f"The delegation {self.delegation_id} does not exist."


@dataclass(kw_only=True, eq=False)
class DelegationOver(Refusal):
    """The delegation has ended, or was revoked before."""

    delegation_id: int

    def sentence(self) -> str:
        return f"The delegation {self.delegation_id} is already over."


@dataclass(kw_only=True, eq=False)
class DeputyIsSelf(Refusal):
    """A person is not their own deputy, also not with another account."""

    field: str = "deputy"

    def sentence(self) -> str:
        return "Name another person: this is the same one, or has the same e-mail address."


@dataclass(kw_only=True, eq=False)
class DeputyInactive(Refusal):
    """One of the two persons is switched off or cannot sign in."""

    deputy: str
    field: str = "deputy"

    def sentence(self) -> str:
        return f"{self.deputy} is switched off or cannot sign in. Name somebody who can."


@dataclass(kw_only=True, eq=False)
class DelegationPast(Refusal):
    """The delegation would end before it begins, or has ended already."""

    field: str = "last_day"

    def sentence(self) -> str:
        return "The end has to be after the start, and in the future."


@dataclass(kw_only=True, eq=False)
class DelegationTooLong(Refusal):
    """A delegation is for a time away, not for ever."""

    days_max: int
    field: str = "last_day"

    def sentence(self) -> str:
        return f"A deputy decides for at most {self.days_max} days. Give a role for longer."


@dataclass(kw_only=True, eq=False)
class DelegationOverlaps(Refusal):
    """The absent person has another deputy in that time."""

    absent: str

    def sentence(self) -> str:
        return (
            f"{self.absent} has a deputy already in a part of that time. Revoke that one first, "
            "or choose other days."
        )


@dataclass(kw_only=True, eq=False)
class DelegationChain(Refusal):
    """A deputy passes nothing on: neither is away in the time in which they decide for another."""

    def sentence(self) -> str:
        return (
            "One of the two decides for somebody in a part of that time, and the other would "
            "decide in turn. A deputy has no deputy: name somebody else, or choose other days."
        )


@dataclass(kw_only=True, eq=False)
class ReasonMissing(Refusal):
    """A change has to say why it is made."""

    characters_max: int
    field: str = "reason"

    def sentence(self) -> str:
        return f"Give a reason of 1 to {self.characters_max} characters."
