"""What a task would do: its plan, its split, and which key each part would get now."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings

from common.refusal import Refusal
from keys import services as keys
from keys.books.queries.previews import Preview, previews
from orchestration import runners
from orchestration.planning import Part
from orchestration.services import TaskRequest, plan, reserve_of

# Parts that ask for the same are decided together; at most so many different requests are decided.
ALLOCATION_REQUESTS_MAX = 50


class PartPreview(NamedTuple):
    """A part, its share of the budget, and the key it would get if it began now.

    `key` is None when its request is one too many to be decided. Costs are the most that tokens can
    cost on that key (USD; None without one): `cost` of its estimate as far as its share allows,
    `cost_max` of its share.
    """

    part: Part
    share: int
    key: Preview | None
    cost: Decimal | None
    cost_max: Decimal | None

    @property
    def refusal(self) -> Refusal | None:
        """Why no key would be lent to it."""
        return self.key and self.key.refusal


class PlanPreview(NamedTuple):
    """A plan that nobody carries out; `reserve` tokens of its budget would be kept for retries."""

    request: TaskRequest
    parts: list[PartPreview]
    reserve: int

    @property
    def cost(self) -> Decimal:
        """Of the parts that a key was found for."""
        return sum((each.cost for each in self.parts if each.cost is not None), Decimal(0))

    @property
    def cost_max(self) -> Decimal:
        """Likewise."""
        return sum((each.cost_max for each in self.parts if each.cost_max is not None), Decimal(0))

    @property
    def keyless(self) -> int:
        """How many parts no key was found for."""
        return sum(each.cost is None for each in self.parts)


def plan_preview(*, agent: str, request: TaskRequest, now: datetime) -> PlanPreview:
    """The plan of a task request, writing and holding nothing.

    No model is asked: where one would plan, this is what the keyword planner finds.

    Refusals: those of `services.plan`, and AgentNotFound, AgentDisabled, CostCentreNotFound.
    """
    made = plan(request)
    allocation_requests = _allocation_requests(request, made.parts, made.shares)
    decided = list(dict.fromkeys(allocation_requests))[:ALLOCATION_REQUESTS_MAX]
    found = previews(agent=agent, requests=decided, now=now)
    parts = [
        _part(part, share, found.get(asked))
        for part, share, asked in zip(made.parts, made.shares, allocation_requests, strict=True)
    ]
    return PlanPreview(request, parts, reserve_of(request))


def _part(part: Part, share: int, key: Preview | None) -> PartPreview:
    if key is None or key.refusal:
        return PartPreview(part, share, key, None, None)
    estimated = min(part.estimated_tokens, share)
    return PartPreview(part, share, key, key.cost(estimated), key.cost(share))


def _allocation_requests(
    request: TaskRequest, parts: list[Part], shares: list[int]
) -> list[keys.AllocationRequest]:
    """What each part would ask the Token Manager for."""
    terms = {
        name: runners.terms(name) for name in {part.runner or request.runner for part in parts}
    }
    ttl = settings.ALLOCATION_TTL_SECONDS
    return [
        keys.AllocationRequest(
            tokens=share,
            provider=part.provider or request.provider or None,
            model=part.model or request.model or None,
            cost_centre=request.cost_centre or None,
            ttl_seconds=ttl,
            wire_format=terms[part.runner or request.runner].wire_format,
        )
        for part, share in zip(parts, shares, strict=True)
    ]
