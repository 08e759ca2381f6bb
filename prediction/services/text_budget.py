"""Size a budget by the forecast of a text, and keep the forecast."""

from dataclasses import dataclass
from datetime import datetime

from common.ids import random_id
from common.statements import fetch
from prediction.centre_shares import share_of
from prediction.learning.rows import Group
from prediction.learning.terms import Sketch
from prediction.models import Forecast, Share
from prediction.services.work_forecast import WorkForecast, forecasts_of
from prediction.sketches import pack, sketch
from prediction.sql import STORE_FORECAST

# So many in a thousand budgets are generous: work that needs more than forecasts say is cut off
# everywhere else, and could not be seen.
PROBES_PER_1000 = 30
TOKENS_MAX = 10**12


@dataclass(frozen=True, slots=True)
class SizedBudget:
    """The tokens of a budget, and the session that it is to be lent to."""

    tokens: int
    session_id: str


def size_budget(
    text: str,
    *,
    agent: str,
    cost_centre: str | None,
    group: Group,
    idempotency_key: str | None,
    now: datetime,
) -> SizedBudget:
    """The budget for a text, by the quantile that the cost centre wants; the forecast is stored.

    The same `idempotency_key` is the same budget if the text is the same, also after another model
    was learned. `cost_centre`: None for the agent's own.
    """
    known = sketch(text)
    found = forecasts_of([(text, known, group)])[0]
    session_id = random_id("ses-")
    probe = found.p99 is not None and _is_probe(session_id)
    share = share_of(agent=agent, cost_centre=cost_centre)
    tokens = _tokens(found, Share.P99 if probe else share)
    row = _row(session_id, agent, idempotency_key, known, group, found, tokens, now)
    row.probe = probe
    if not _store(row, known):
        # The key was used before: only then is there something to look up.
        earlier = Forecast.objects.get(agent=agent, idempotency_key=idempotency_key)
        return _as_before(earlier, found, known)
    return SizedBudget(tokens, session_id)


def record_forecast(
    text: str, *, agent: str, session_id: str, group: Group, tokens: int, now: datetime
) -> None:
    """Keep what is forecast for a session that gets `tokens` by other reasons; once for each."""
    known = sketch(text)
    found = forecasts_of([(text, known, group)])[0]
    _store(_row(session_id, agent, None, known, group, found, tokens, now), known)


def _as_before(earlier: Forecast, found: WorkForecast, known: Sketch) -> SizedBudget:
    if bytes(earlier.text_digest) == known.digest:
        return SizedBudget(earlier.tokens, earlier.session_id)
    # Another text under the same key is another request, which is refused when tokens are lent.
    tokens = _tokens(found, Share.P90)
    return SizedBudget(tokens + (tokens == earlier.tokens), earlier.session_id)


def _tokens(found: WorkForecast, share: str) -> int:
    wanted = {Share.P50: found.p50, Share.P90: found.p90, Share.P99: found.p99}.get(Share(share))
    return min(max(wanted or found.rule.estimated, 1), TOKENS_MAX)


def _is_probe(session_id: str) -> bool:
    return int.from_bytes(session_id.encode()[-4:], "big") % 1000 < PROBES_PER_1000


def _row(
    session_id: str,
    agent: str,
    idempotency_key: str | None,
    known: Sketch,
    group: Group,
    found: WorkForecast,
    tokens: int,
    now: datetime,
) -> Forecast:
    return Forecast(
        session_id=session_id,
        agent=agent,
        idempotency_key=idempotency_key,
        text_digest=known.digest,
        model=group.model[:200],
        kind=group.kind[:120],
        rule_tokens=min(found.rule.estimated, TOKENS_MAX),
        version_id=found.version,
        basis=found.basis,
        p50=found.p50 if found.version else None,
        p90=found.p90,
        p99=found.p99,
        tokens=tokens,
        created_at=now,
    )


def _store(row: Forecast, known: Sketch) -> bool:
    """Whether the forecast was stored: not if its idempotency key or its session has one."""
    stored = fetch(
        STORE_FORECAST,
        session_id=row.session_id,
        agent=row.agent,
        idempotency_key=row.idempotency_key,
        text_digest=known.digest,
        sketch=pack(known),
        model=row.model,
        kind=row.kind,
        rule_tokens=row.rule_tokens,
        version_id=row.version_id,
        basis=row.basis,
        p50=row.p50,
        p90=row.p90,
        p99=row.p99,
        tokens=row.tokens,
        probe=row.probe,
        now=row.created_at,
    )
    return bool(stored)
