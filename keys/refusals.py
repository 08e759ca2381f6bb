"""Every refusal of the Token Manager. `butler_site.errors` gives each its status.

Refusal
├── NoRoom                  a limit has no room: which windows lack, and when the first one resets
│   ├── LimitReached        of the agent or of a cost centre
│   └── NoKeyCapacity       of every API key that could serve
├── NoBudget                an allocation cannot pay for a call; has its numbers
│   ├── AllocationExhausted
│   ├── AllocationClosed
│   └── BudgetInFlight      it could, once other calls of the session have ended
├── ReportRefused           a session reports usage that it may not report about itself
│   ├── ReportTooLarge
│   ├── ReportTooLate
│   └── UsageIsMetered
├── StoppedByFreeze
│   ├── Frozen              of the agent, its cost centre or everything, or it ended the call
│   └── KeyFrozen           of the API key or its provider; another key may serve
├── …NotFound               ProviderNotFound, ModelNotFound, CostCentreNotFound, AgentNotFound, …
└── the others, each directly below Refusal
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from common.refusal import Refusal
from keys.identity.allow_lists import AllowList


@dataclass(frozen=True)
class LackingWindow:
    """A window without room for a request.

    The amounts are tokens (int) or USD (Decimal); `resets_at` is None for a limit in total.
    `carried`: the part of `amount` that was carried over from the period before.
    """

    window_id: int
    limit: str
    scope: str
    unit: str
    period: str
    amount: int | Decimal
    used: int | Decimal
    committed: int | Decimal
    needed: int | Decimal
    resets_at: datetime | None
    carried: int | Decimal = 0

    def __str__(self) -> str:
        return (
            f"{self.limit} is {self._amount(self.amount)}{self._carried()}, of which "
            f"{self._amount(self.used)} are used and {self._amount(self.committed)} committed; "
            f"{self._amount(self.needed)} are needed"
        )

    def _carried(self) -> str:
        if not self.carried:
            return ""
        return f" ({self._amount(self.carried)} of it carried over from the last period)"

    def _amount(self, number: int | Decimal) -> str:
        return f"{number:,}" if isinstance(number, int) else f"{number.normalize():,f}"


@dataclass(frozen=True)
class OpenSession:
    """A session that can still spend, who has it, and the tokens it has left."""

    session_id: str
    agent: str
    left: int


@dataclass(frozen=True)
class Alternative:
    """Another active API key. `capacity`: the tokens free on it; None when it has no limit."""

    key_id: str
    provider: str
    capacity: int | None

    def __str__(self) -> str:
        if self.capacity is None:
            return f"{self.key_id} has no limit"
        return f"{self.key_id} has {self.capacity:,} free"


@dataclass(kw_only=True, eq=False)
class NoRoom(Refusal):
    """A limit has no room. `needed` in tokens; `next_reset`: when the first of `windows` resets."""

    needed: int
    windows: list[LackingWindow]
    next_reset: datetime | None

    def remedy(self) -> str:
        """When there is room again, and what to do until then."""
        return f"{self.resets()} Ask for fewer tokens, or ask an operator to raise the limit."

    def resets(self) -> str:
        """When there is room again, as a sentence; empty if the limits never reset."""
        if self.next_reset is None:
            return ""
        return f" The next reset is at {self.next_reset:%Y-%m-%d %H:%M} UTC."


@dataclass(kw_only=True, eq=False)
class LimitReached(NoRoom):
    """A limit of the agent or of a cost centre has no room; `windows` names it.

    `budget_requests`: the address at which the agent can ask for more, with the scope, unit and
    period of the window. `ask_page`: the page on which a person can ask for it.
    """

    budget_requests: str
    ask_page: str = ""

    def sentence(self) -> str:
        which = f": {self.windows[0]}" if self.windows else ""
        return f"A limit of the agent or of its cost centre has no room{which}.{self.remedy()}"

    def remedy(self) -> str:
        """When there is room again, and where to ask for more."""
        return (
            f"{self.resets()} Ask for fewer tokens, or ask for more budget with POST "
            f"{self.budget_requests}. People ask at {self.ask_page}"
        )


@dataclass(kw_only=True, eq=False)
class NoKeyCapacity(NoRoom):
    """No API key has room for the tokens; `windows` lack it, `alternatives` have some room. If none
    that could serve it is active, `not_active` says what some of them are."""

    alternatives: list[Alternative]
    not_active: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        if self.not_active:
            return (
                f"No API key that could serve the request is active: {', '.join(self.not_active)}. "
                "Ask an operator to look at the keys."
            )
        best = f" {self.alternatives[0]}." if self.alternatives else ""
        return f"No API key has room for {self.needed:,} tokens.{best}{self.remedy()}"


@dataclass(eq=False)
class Busy(Refusal):
    """Concurrent requests took the remaining capacity; a retry can succeed."""

    def sentence(self) -> str:
        return "Concurrent requests took the remaining capacity. Please retry."


@dataclass(kw_only=True, eq=False)
class IdempotencyMismatch(Refusal):
    """The idempotency key was already used for a different request, whose result is named."""

    session_id: str | None = None
    charge_id: int | None = None
    task_id: int | None = None

    def sentence(self) -> str:
        return (
            "The idempotency key was already used for a different request. Send a new key with a "
            "new request."
        )


@dataclass(kw_only=True, eq=False)
class ProviderNotFound(Refusal):
    """The provider does not exist."""

    provider: str

    def sentence(self) -> str:
        return f"The provider {self.provider} does not exist."


@dataclass(kw_only=True, eq=False)
class ModelNotFound(Refusal):
    """No API key serves the model."""

    model: str

    def sentence(self) -> str:
        return f"No API key serves the model {self.model}. Choose another model."


@dataclass(kw_only=True, eq=False)
class NotAllowed(Refusal):
    """`allow_lists` of the agent or of its cost centres exclude every model or API key that could
    serve."""

    allow_lists: list[AllowList]

    def sentence(self) -> str:
        return (
            f"Allow-lists exclude what was requested: {'; '.join(map(str, self.allow_lists))}. Use "
            "a model and a provider that all of these allow, or ask an operator to change them."
        )


@dataclass(kw_only=True, eq=False)
class CostCentreNotFound(Refusal):
    """The cost centre does not exist, or the agent cannot charge it."""

    cost_centre: str
    own: str | None = None

    def sentence(self) -> str:
        if self.own is None:
            return f"The cost centre {self.cost_centre} does not exist."
        return (
            f"The agent cannot charge the cost centre {self.cost_centre}. It can charge {self.own} "
            "and the cost centres below it."
        )


@dataclass(kw_only=True, eq=False)
class CostCentreClosed(Refusal):
    """The cost centre is closed: it pays for nothing new, and nothing can be put below it."""

    cost_centre: str

    def sentence(self) -> str:
        return (
            f"The cost centre {self.cost_centre} is closed, so it pays for nothing new. Ask a "
            "person who sets limits to move the agent to another cost centre, or to reopen "
            "this one."
        )


@dataclass(kw_only=True, eq=False)
class OwnPlace(Refusal):
    """An agent cannot move itself, nor move or close a cost centre that pays for itself."""

    agent: str

    def sentence(self) -> str:
        return (
            f"The agent {self.agent} cannot move itself, nor move or close a cost centre that "
            "pays for it. Ask a person or another operator."
        )


@dataclass(kw_only=True, eq=False)
class KeyWasUsed(Refusal):
    """Only an API key that was never lent can be hidden."""

    key_id: str

    def sentence(self) -> str:
        return (
            f"The API key {self.key_id} was lent, so its history keeps it in lists. Pause it, so "
            "that it is lent no more."
        )


@dataclass(kw_only=True, eq=False)
class WorkIsOpen(Refusal):
    """What is moved or closed has open sessions or unfinished tasks.

    `tokens` is what the `sessions` have left, of which `first` names some; `others` has the number
    of each other kind of work. `in_flight` calls run.
    """

    sessions: int
    tokens: int
    in_flight: int
    first: list[OpenSession]
    others: list[str]

    def sentence(self) -> str:
        sessions = f"{self.sessions:,} open session{'' if self.sessions == 1 else 's'}"
        named = ", ".join(f"{each.session_id} of {each.agent}" for each in self.first)
        more = ", …" if self.sessions > len(self.first) else ""
        of_which = f" with {self.tokens:,} tokens left ({named}{more})" if self.sessions else ""
        others = "".join(f", {each}(s) not finished" for each in self.others)
        return (
            f"It has {sessions}{of_which}{others}. Wait until they have ended, or confirm that "
            "they are ended with it: calls in flight go on, and are paid where they started."
        )


@dataclass(kw_only=True, eq=False)
class AgentNotFound(Refusal):
    """The agent does not exist."""

    agent: str

    def sentence(self) -> str:
        return f"The agent {self.agent} does not exist."


@dataclass(kw_only=True, eq=False)
class ApiKeyNotFound(Refusal):
    """The API key does not exist."""

    key_id: str

    def sentence(self) -> str:
        return f"The API key {self.key_id} does not exist."


@dataclass(kw_only=True, eq=False)
class AllocationNotFound(Refusal):
    """The allocation does not exist, or belongs to another agent. Named as the caller named it."""

    session_id: str | None = None
    allocation_id: int | None = None

    def sentence(self) -> str:
        return f"The allocation {self.session_id or self.allocation_id} does not exist."


@dataclass(kw_only=True, eq=False)
class ChargeNotFound(Refusal):
    """The charge does not exist, or belongs to another agent."""

    charge_id: str

    def sentence(self) -> str:
        return f"The charge {self.charge_id} does not exist."


@dataclass(kw_only=True, eq=False)
class AgentDisabled(Refusal):
    """The agent is switched off."""

    agent: str | None = None

    def sentence(self) -> str:
        which = self.agent or "of this session"
        return f"The agent {which} is switched off. Ask an operator to switch it on."


@dataclass(kw_only=True, eq=False)
class StoppedByFreeze(Refusal):
    """A freeze stops it. `scope` is what is frozen; only people read by whom."""

    scope: str

    def sentence(self) -> str:
        kind, _, name = self.scope.partition(":")
        what = {
            "all": "All spending",
            "key": f"The API key {name}",
            "provider": f"The provider {name}",
            "agent": f"The agent {name}",
            "centre": f"The cost centre {name}",
        }[kind]
        return f"{what} is frozen. Ask an operator of Butler why, and when it is thawed."


@dataclass(kw_only=True, eq=False)
class Frozen(StoppedByFreeze):
    """The agent, its cost centre or everything is frozen, or a freeze ended the call."""


@dataclass(kw_only=True, eq=False)
class KeyFrozen(StoppedByFreeze):
    """The API key or its provider is frozen; another key may take the session over."""


@dataclass(kw_only=True, eq=False)
class FreezeNotFound(Refusal):
    """The freeze does not exist."""

    freeze_id: int

    def sentence(self) -> str:
        return f"The freeze {self.freeze_id} does not exist."


@dataclass(kw_only=True, eq=False)
class OwnFreeze(Refusal):
    """Who froze something cannot thaw it, nor can an agent that is frozen."""

    freeze_id: int

    def sentence(self) -> str:
        return (
            "A freeze is thawed by somebody other than the person or program that made it, and "
            "never by a frozen agent. A person who issued a token of an agent and that agent "
            "count as one. Ask another operator."
        )


class BudgetNumbers(TypedDict):
    """An allocation's numbers, in tokens, and its time; `left` can still be held."""

    session_id: str
    allocated: int
    used: int
    held: int
    left: int
    starts_at: datetime
    ends_at: datetime


@dataclass(kw_only=True, eq=False)
class NoBudget(Refusal):
    """An allocation cannot pay; the fields are those of BudgetNumbers."""

    session_id: str
    allocated: int
    used: int
    held: int
    left: int
    starts_at: datetime
    ends_at: datetime


@dataclass(kw_only=True, eq=False)
class AllocationExhausted(NoBudget):
    """The allocation has too few tokens left for this call."""

    needed: int

    def sentence(self) -> str:
        return f"{self.left:,} tokens are left; this call may need {self.needed:,}."


@dataclass(kw_only=True, eq=False)
class AllocationClosed(NoBudget):
    """The allocation is completed, failed, expired or exhausted."""

    status: str
    needed: int | None = None

    def sentence(self) -> str:
        return f"The allocation is {self.status}. Ask for a new allocation."


@dataclass(kw_only=True, eq=False)
class BudgetInFlight(NoBudget):
    """Other calls of the session hold tokens that this call needs; a retry can succeed."""

    needed: int

    def sentence(self) -> str:
        return (
            "Other calls of this session are in flight and hold tokens that this call needs. "
            "Please retry in a moment, or make fewer calls at once."
        )


@dataclass(kw_only=True, eq=False)
class HeldBefore(Refusal):
    """The idempotency key was already used for a call of this allocation.

    `charge_status`: what became of that call's charge; `same`: whether the request was the same.
    """

    charge_id: int
    charge_status: str
    same: bool

    def sentence(self) -> str:
        return (
            "The idempotency key was already used for a call of this allocation. Send a new key "
            "with a new call."
        )


@dataclass(kw_only=True, eq=False)
class KeyChanged(Refusal):
    """The allocation was rotated away from the expected API key; `key_id` is its key now."""

    key_id: str | None = None

    def sentence(self) -> str:
        return f"The allocation was moved to {self.key_id or 'another API key'}. Please retry."


@dataclass(kw_only=True, eq=False)
class KeyCannotServe(Refusal):
    """The allocation's API key is switched off or broken, or waits until a moment."""

    key_id: str
    status: str
    until: datetime | None = None

    def sentence(self) -> str:
        return f"The API key {self.key_id} is {self.status}."


@dataclass(kw_only=True, eq=False)
class KeyFull(Refusal):
    """The limits of an API key have no room for a call of a session that is on another key."""

    key_id: str

    def sentence(self) -> str:
        return f"The limits of the API key {self.key_id} have no room for this call."


@dataclass(kw_only=True, eq=False)
class RateLimited(Refusal):
    """The rate of the API key is used up; a retry can succeed at the moment `until`."""

    key_id: str | None = None
    until: datetime | None = None

    def sentence(self) -> str:
        return f"The API key {self.key_id} has reached its rate limit. Please retry later."


@dataclass(kw_only=True, eq=False)
class ChargeEnded(Refusal):
    """The charge was released, or settled with other usage."""

    charge_id: int
    charge_status: str

    def sentence(self) -> str:
        already = f"The charge {self.charge_id} is already {self.charge_status}."
        return f"{already} Its usage cannot be changed."


@dataclass(kw_only=True, eq=False)
class ChargeNotSettled(Refusal):
    """The charge is not settled, so it has no usage to adjust."""

    charge_id: int
    charge_status: str

    def sentence(self) -> str:
        return f"The charge {self.charge_id} is {self.charge_status}. Only settled ones can change."


@dataclass(kw_only=True, eq=False)
class AdjustmentRefused(Refusal):
    """A limit has no room for the tokens that an adjustment gives back to an open allocation."""

    charge_id: int

    def sentence(self) -> str:
        return (
            f"The adjustment of charge {self.charge_id} gives tokens back to its session, which is "
            "open, and a limit has no room to set them aside. Adjust the charge after the session "
            "has ended, or raise the limit."
        )


@dataclass(kw_only=True, eq=False)
class ReportRefused(Refusal):
    """A usage report that a session may not send about itself."""

    session_id: str

    def remedy(self) -> str:
        """The token with which the usage can be recorded nevertheless."""
        return (
            " Send the report with a token of the agent that has the scopes spend and operate; an "
            "operator can issue one."
        )


@dataclass(kw_only=True, eq=False)
class ReportTooLarge(ReportRefused):
    """The report exceeds what is left of the allocation and a margin, or what one call can use."""

    tokens: int
    tokens_max: int
    cost: Decimal
    cost_max: Decimal

    def sentence(self) -> str:
        return (
            f"The report is of {self.tokens:,} tokens and {self.cost:f} USD. The session can "
            f"report at most {self.tokens_max:,} tokens and {self.cost_max:f} USD now."
            f"{self.remedy()}"
        )


@dataclass(kw_only=True, eq=False)
class ReportTooLate(ReportRefused):
    """The session ended too long ago; `reports_until`: when reports ended."""

    reports_until: datetime

    def sentence(self) -> str:
        until = f"{self.reports_until:%Y-%m-%d %H:%M:%S} UTC"
        return f"The session has ended and could report usage until {until}.{self.remedy()}"


@dataclass(kw_only=True, eq=False)
class UsageIsMetered(ReportRefused):
    """Calls of the session go through the gateway, which records their usage."""

    def sentence(self) -> str:
        return (
            "The gateway records the usage of this session. Use another allocation for calls "
            f"outside the gateway.{self.remedy()}"
        )


@dataclass(kw_only=True, eq=False)
class RotationRefused(Refusal):
    """No other API key can take the rest of the allocation, or the requested one cannot."""

    session_id: str
    key_id: str | None = None
    left: int | None = None


@dataclass(kw_only=True, eq=False)
class WrongValue(Refusal):
    """A value cannot be used; `field` names it."""

    field: str


@dataclass(kw_only=True, eq=False)
class LimitNotFound(Refusal):
    """There is no such limit, or the agent is not subject to it."""

    scope: str
    unit: str
    period: str

    def sentence(self) -> str:
        return (
            f"The agent has no limit in {self.unit} per {self.period} of {self.scope}. Use the "
            "scope, unit and period of a window that a refusal names."
        )


@dataclass(kw_only=True, eq=False)
class AlreadyExists(Refusal):
    """Something with this name already exists."""

    slug: str | None = None


@dataclass(kw_only=True, eq=False)
class TooManyTokens(Refusal):
    """The agent already has as many live tokens as it may have; revoke one first."""

    agent: str
    live_max: int

    def sentence(self) -> str:
        return (
            f"The agent {self.agent} already has {self.live_max} live tokens. Revoke one before "
            "you create another."
        )
