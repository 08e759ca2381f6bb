"""Preview a task: its plan, the shares of its budget, and the API key of each part now."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.refusal import Refusal
from keys.books.queries.previews import Preview, previews
from orchestration.planning import Part
from orchestration.refusals import BudgetTooSmall
from orchestration.services import Plan, TaskRequest, plan, reserve_of
from orchestration.services.affordable import (
    allocation_requests,
    check_with,
    looked_up,
)
from orchestration.services.submit import affordable_plan, is_planned_by_model
from prediction.services import WorkForecast


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
    forecast: WorkForecast | None = None

    @property
    def cost_p50(self) -> Decimal | None:
        """The most that the P50 of the forecast can cost; None without a forecast or a key."""
        if self.forecast is None or self.key is None or self.key.refusal:
            return None
        return self.key.cost(self.forecast.p50)

    @property
    def cost_p90(self) -> Decimal | None:
        """The most that the P90 of the forecast can cost, also above the share; None without a
        forecast or a key."""
        if self.forecast is None or self.key is None or self.key.refusal:
            return None
        return None if self.forecast.p90 is None else self.key.cost(self.forecast.p90)

    @property
    def refusal(self) -> Refusal | None:
        """Why the part would get no key; None if it would get one, or if none was looked up."""
        return self.key and self.key.refusal


class PlanPreview(NamedTuple):
    """The plan of a task that is not submitted; `reserve`: tokens of its budget for retries.

    `note`: what the keyword planner says about the description, and a warning about a share that
    may be too small for its prompt; or empty.
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
    def cost_p90(self) -> Decimal | None:
        """90 of 100 such plans cost no more, if their parts do not depend on each other; None if a
        part has no forecast or no key."""
        spread = whole = Decimal(0)
        for each in self.parts:
            p50, p90 = each.cost_p50, each.cost_p90
            if p50 is None or p90 is None:
                return None
            whole += p50
            spread += (p90 - p50) ** 2
        return (whole + spread.sqrt()).quantize(Decimal("0.000000001"))

    @property
    def uncertain_part(self) -> str:
        """The key of the part whose P90 exceeds its P50 by the most tokens; empty without
        forecasts."""
        unsure = {
            each.part.key: each.forecast.p90 - each.forecast.p50
            for each in self.parts
            if each.forecast is not None and each.forecast.p90 is not None
        }
        return max(unsure, key=lambda key: unsure[key], default="")

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
    Refusals: those of `services.plan`, BudgetTooLarge, and AgentNotFound, AgentDisabled,
    CostCentreNotFound.
    """
    if is_planned_by_model(request):
        affordable_plan(request, agent=agent, now=now)
    try:
        return _preview(plan(request, agent=agent), request, agent=agent, now=now)
    except BudgetTooSmall:
        # The same refusal, with the least budget that works.
        affordable_plan(request, agent=agent, now=now)
        raise


def _preview(planned: Plan, request: TaskRequest, *, agent: str, now: datetime) -> PlanPreview:
    wanted = allocation_requests(request, planned.parts, planned.shares, agent=agent)
    found = previews(agent=agent, requests=looked_up(wanted), now=now)
    warning = check_with(found, wanted, request, planned.parts, planned.shares, now=now)
    note = " ".join(filter(None, (planned.note, warning)))
    parts = [
        _part(part, share, found.get(allocation_request), planned.forecasts.get(part.key))
        for part, share, allocation_request in zip(
            planned.parts, planned.shares, wanted, strict=True
        )
    ]
    return PlanPreview(request, parts, reserve_of(request), note)


def _part(
    part: Part, share: int, key: Preview | None, forecast: WorkForecast | None
) -> PartPreview:
    if key is None or key.refusal:
        return PartPreview(part, share, key, None, None, forecast)
    estimated = min(part.estimated_tokens, share)
    return PartPreview(part, share, key, key.cost(estimated), key.cost(share), forecast)
