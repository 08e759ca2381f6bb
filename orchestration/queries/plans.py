"""Preview a task: its plan, the shares of its budget, and the API key of each part now."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings

from common.refusal import Refusal
from keys import services as keys
from keys.books.queries.previews import Preview, previews
from orchestration import runners
from orchestration.planning import Part
from orchestration.services import Plan, TaskRequest, plan, reserve_of

# Keys are looked up once for all parts with the same request, and for at most so many requests.
ALLOCATION_REQUESTS_MAX = 50


class PartPreview(NamedTuple):
    """A part, its share of the budget in tokens, and the API key it would get if it started now.

    `key` is None if no key was looked up, because the plan has too many different requests. Costs
    (USD) are the most that the tokens can cost on that key, and None without a key: `cost` of the
    estimate, which counts no further than the share, and `cost_max` of the share.
    """

    part: Part
    share: int
    key: Preview | None
    cost: Decimal | None
    cost_max: Decimal | None

    @property
    def refusal(self) -> Refusal | None:
        """Why the part would get no key; None if it would get one, or if none was looked up."""
        return self.key and self.key.refusal


class PlanPreview(NamedTuple):
    """The plan of a task that is not submitted; `reserve`: tokens of its budget for retries.

    `note`: what the keyword planner says about the description, or empty.
    """

    request: TaskRequest
    parts: list[PartPreview]
    reserve: int
    note: str

    @property
    def cost(self) -> Decimal:
        """The cost of the estimates in US dollars, of the parts with a key."""
        return sum((each.cost for each in self.parts if each.cost is not None), Decimal(0))

    @property
    def cost_max(self) -> Decimal:
        """The cost of the full shares in US dollars, of the parts with a key."""
        return sum((each.cost_max for each in self.parts if each.cost_max is not None), Decimal(0))

    @property
    def parts_without_key(self) -> int:
        """How many parts would get no key, or were not looked up."""
        return sum(each.cost is None for each in self.parts)


def plan_preview(*, agent: str, request: TaskRequest, now: datetime) -> PlanPreview:
    """Preview the plan of a task request, without writing or holding anything.

    No model is called: if a model would plan the task, this is the plan of the keyword planner.
    Refusals: those of `services.plan`, and AgentNotFound, AgentDisabled, CostCentreNotFound.
    """
    planned = plan(request, agent=agent)
    wanted = _allocation_requests(request, planned, agent=agent)
    different = list(dict.fromkeys(wanted))[:ALLOCATION_REQUESTS_MAX]
    found = previews(agent=agent, requests=different, now=now)
    parts = [
        _part(part, share, found.get(allocation_request))
        for part, share, allocation_request in zip(
            planned.parts, planned.shares, wanted, strict=True
        )
    ]
    return PlanPreview(request, parts, reserve_of(request), planned.note)


def _part(part: Part, share: int, key: Preview | None) -> PartPreview:
    if key is None or key.refusal:
        return PartPreview(part, share, key, None, None)
    estimated = min(part.estimated_tokens, share)
    return PartPreview(part, share, key, key.cost(estimated), key.cost(share))


def _allocation_requests(
    request: TaskRequest, planned: Plan, *, agent: str
) -> list[keys.AllocationRequest]:
    """The allocation request of each part."""
    names = {part.runner or request.runner for part in planned.parts}
    terms = {name: runners.terms(name, agent=agent) for name in names}
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
        for part, share in zip(planned.parts, planned.shares, strict=True)
    ]
