"""Models that serve calls instead of another one."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from keys.audit_actions import Action
from keys.models import ModelFallback
from keys.patterns import pattern_mistake
from keys.reasons import check_reason
from keys.refusals import WrongValue
from keys.supply.queries.model_policies import is_served
from security import audit
from security.actor import Actor

_FALLBACKS_MAX = 5


def check_fallback(model: str, *, budget_percent: int | None, fallbacks: Sequence[str]) -> None:
    """Refuse what cannot serve instead of `model`. Refusals: WrongValue."""
    if mistake := pattern_mistake(model):
        raise WrongValue(mistake, field="model")
    if budget_percent is not None and not 1 <= budget_percent <= 100:
        raise WrongValue("Use 1 to 100 percent.", field="budget_percent")
    if not 1 <= len(fallbacks) <= _FALLBACKS_MAX:
        raise WrongValue(f"Enter 1 to {_FALLBACKS_MAX} models.", field="fallbacks")
    for fallback in fallbacks:
        if fallback.lower() == model.lower() or not is_served(fallback):
            raise WrongValue(
                f"{fallback} cannot serve instead of {model}. Enter other models that an API key "
                "serves.",
                field="fallbacks",
            )


@transaction.atomic
def set_model_fallback(
    model: str,
    *,
    fallbacks: Sequence[str],
    budget_percent: int | None = None,
    actor: Actor,
    reason: str = "",
    now: datetime,
) -> ModelFallback:
    """Let `fallbacks` serve instead of a model, or of those that a pattern matches.

    The gateway follows within seconds. Refusals: WrongValue.
    """
    model = model.lower()
    check_fallback(model, budget_percent=budget_percent, fallbacks=fallbacks)
    same = ModelFallback.objects.filter(model=model, budget_percent=budget_percent)
    earlier = same.select_for_update().first()
    row, _ = ModelFallback.objects.update_or_create(
        model=model, budget_percent=budget_percent, defaults={"fallbacks": list(fallbacks)}
    )
    audit.record(
        actor=actor,
        action=Action.MODEL_FALLBACK_SET,
        subject=f"model_fallback:{row.pk}",
        before=_terms(earlier) if earlier else None,
        after=_terms(row),
        reason=reason,
        at=now,
    )
    return row


@transaction.atomic
def remove_model_fallback(
    fallback: ModelFallback, *, actor: Actor, reason: str, now: datetime
) -> None:
    """Let nothing serve instead. A second call changes nothing. Refusals: WrongValue."""
    check_reason(reason)
    removed, _ = ModelFallback.objects.filter(pk=fallback.pk).delete()
    if removed:
        audit.record(
            actor=actor,
            action=Action.MODEL_FALLBACK_REMOVE,
            subject=f"model_fallback:{fallback.pk}",
            before=_terms(fallback),
            reason=reason,
            at=now,
        )


def _terms(row: ModelFallback) -> dict[str, object]:
    return {
        "model": row.model,
        "budget_percent": row.budget_percent,
        "fallbacks": row.fallbacks,
    }
