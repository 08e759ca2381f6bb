"""Size a budget by the forecast of a text, and keep the forecast."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.ids import random_id
from common.statements import Step, fetch
from prediction.centre_shares import share_of
from prediction.learning.rows import Group
from prediction.learning.terms import Sketch
from prediction.models import Share
from prediction.services.work_forecast import WorkForecast, forecasts_of
from prediction.sketches import pack, sketch
from prediction.sql import ALLOCATE_BY_FORECAST, STORE_FORECAST

# So many in a thousand budgets are generous: work that needs more than forecasts say is cut off
# everywhere else, and could not be seen.
PROBES_PER_1000 = 30
TOKENS_MAX = 10**12


@dataclass(frozen=True, slots=True)
class SizedBudget:
    """The tokens of a budget, the session that it is to be lent to, what it was sized by (the same
    for the same text), and the statement to lend it by, which keeps the forecast."""

    tokens: int
    session_id: str
    sized_by: str
    lend_by: Step


def size_budget(text: str, *, agent: str, cost_centre: str | None, group: Group) -> SizedBudget:
    """The budget for a text, by the quantile that the cost centre wants. Nothing is written.

    `cost_centre`: None for the agent's own. See `keys.allocate` for how to lend it.
    """
    known = sketch(text)
    found = forecasts_of([(text, known, group)])[0]
    session_id = random_id("ses-")
    probe = found.p99 is not None and _is_probe(session_id)
    share = Share.P99 if probe else share_of(agent=agent, cost_centre=cost_centre)
    return SizedBudget(
        tokens=_tokens(found, share),
        session_id=session_id,
        sized_by=f"text:{known.digest.hex()}",
        lend_by=(ALLOCATE_BY_FORECAST, _values(known, group, found, probe=probe)),
    )


def record_forecast(
    text: str, *, agent: str, session_id: str, group: Group, tokens: int, now: datetime
) -> None:
    """Keep what is forecast for a session that gets `tokens` by other reasons; once for each."""
    known = sketch(text)
    found = forecasts_of([(text, known, group)])[0]
    values = _values(known, group, found, probe=False)
    fetch(STORE_FORECAST, **values, session_id=session_id, agent=agent, tokens=tokens, now=now)


def _tokens(found: WorkForecast, share: str) -> int:
    wanted = {Share.P50: found.p50, Share.P90: found.p90, Share.P99: found.p99}.get(Share(share))
    return min(max(wanted or found.rule.estimated, 1), TOKENS_MAX)


def _is_probe(session_id: str) -> bool:
    return int.from_bytes(session_id.encode()[-4:], "big") % 1000 < PROBES_PER_1000


def _values(known: Sketch, group: Group, found: WorkForecast, *, probe: bool) -> dict[str, Any]:
    """What is kept of a text and its forecast."""
    return {
        "text_digest": known.digest,
        "sketch": pack(known),
        "model": group.model[:200],
        "kind": group.kind[:120],
        "rule_tokens": min(found.rule.estimated, TOKENS_MAX),
        "version_id": found.version,
        "basis": found.basis,
        "p50": found.p50 if found.version else None,
        "p90": found.p90,
        "p99": found.p99,
        "probe": probe,
    }
