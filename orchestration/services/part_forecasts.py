"""Estimates of parts by what was learned of settled work."""

from typing import NamedTuple

from orchestration.planning import Part
from orchestration.services.task_request import TaskRequest
from prediction import services as prediction


class ForecastParts(NamedTuple):
    """Parts with their estimates, and the forecasts by the keys of parts; none where too little
    was learned."""

    parts: list[Part]
    forecasts: dict[str, prediction.WorkForecast]


def forecast_parts(parts: list[Part], request: TaskRequest, *, agent: str) -> ForecastParts:
    """Replace the estimates of parts by their P50.

    The budget is split in proportion to the estimates, so they must be of one measure: if one part
    has no forecast, or the caller gave estimates, all keep what they have.
    """
    given = any(each.get("estimated_tokens") is not None for each in request.sub_tasks)
    groups = [group_of(part, request, agent=agent) for part in parts]
    # Estimates of callers are of a measure of their own.
    if given or not groups or not all(map(prediction.is_learned, dict.fromkeys(groups))):
        return ForecastParts(parts, {})
    found = prediction.forecasts(
        [(part.description, group) for part, group in zip(parts, groups, strict=True)]
    )
    forecasts = {part.key: each for part, each in zip(parts, found, strict=True)}
    estimated = [part._replace(estimated_tokens=forecasts[part.key].p50) for part in parts]
    return ForecastParts(estimated, forecasts)


def group_of(part: Part, request: TaskRequest, *, agent: str) -> prediction.Group:
    """Whose work a part is."""
    model, runner = part.model or request.model, part.runner or request.runner
    return prediction.Group(model, agent, kind_of(runner))


def kind_of(runner: str) -> str:
    """The kind of work of the parts that a runner carries out."""
    return f"part:{runner}"
