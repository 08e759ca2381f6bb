"""Set and remove limits on how many attempts of a scope run at the same time."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Model

from common.refusal import Refusal
from keys.models import Agent, CostCentre, Provider
from keys.reasons import check_reason
from keys.refusals import AgentNotFound, CostCentreNotFound, ProviderNotFound, WrongValue
from orchestration import runners
from orchestration.audit_actions import Action
from orchestration.models import Concurrency
from orchestration.services.wakeup import wake
from security import audit
from security.actor import Actor

CONCURRENCY_MAX = 1_000_000
_EVERYTHING = "all"
_KINDS = "all, agent:<agent>, centre:<cost centre>, provider:<provider> or runner:<runner>"
# What the kinds of scopes name, and the refusal if it does not exist.
_ROWS: dict[str, tuple[type[Model], Callable[[str], Refusal]]] = {
    "agent": (Agent, lambda slug: AgentNotFound(agent=slug)),
    "centre": (CostCentre, lambda slug: CostCentreNotFound(cost_centre=slug)),
    "provider": (Provider, lambda slug: ProviderNotFound(provider=slug)),
}


def check_scope(scope: str) -> None:
    """Check that the scope is well formed and that what it names exists.

    Refusals: WrongValue, AgentNotFound, CostCentreNotFound, ProviderNotFound, RunnerNotFound.
    """
    kind, _, name = scope.partition(":")
    if scope == _EVERYTHING:
        return
    if kind == "runner" and name:
        runners.check(name, agent=None)
    elif kind in _ROWS and name:
        model, refusal = _ROWS[kind]
        if not model._default_manager.filter(pk=name).exists():
            raise refusal(name)
    else:
        raise WrongValue(f"The scope {scope} is not known. Use {_KINDS}.", field="scope")


@transaction.atomic(durable=True)
def set_concurrency(
    scope: str, *, attempts_max: int, actor: Actor, reason: str, now: datetime
) -> Concurrency:
    """Allow at most `attempts_max` attempts of `scope` at the same time.

    Running attempts above the limit continue. Repeating the call changes nothing. `reason` stays in
    the history of the scope.

    Refusals: WrongValue, and those of `check_scope`.
    """
    check_reason(reason)
    check_scope(scope)
    if not 0 <= attempts_max <= CONCURRENCY_MAX:
        raise WrongValue(
            f"Use a whole number from 0 to {CONCURRENCY_MAX:,} as the limit.", field="attempts_max"
        )
    earlier = Concurrency.objects.select_for_update().filter(scope=scope).first()
    limit, _ = Concurrency.objects.update_or_create(
        scope=scope, defaults={"attempts_max": attempts_max}
    )
    before = _values(earlier) if earlier else None
    if before != _values(limit):
        audit.record(
            actor=actor,
            action=Action.CONCURRENCY_LIMIT_SET,
            **_subjects(scope),
            before=before,
            after=_values(limit),
            reason=reason,
            at=now,
        )
    wake()
    return limit


@transaction.atomic(durable=True)
def remove_concurrency(scope: str, *, actor: Actor, reason: str, now: datetime) -> bool:
    """Remove the limit of `scope`; `all` and agents then have the limit of the settings.

    Repeating the call changes nothing; returns whether there was a limit. `reason` stays in the
    history of the scope. Refusals: WrongValue.
    """
    check_reason(reason)
    limit = Concurrency.objects.select_for_update().filter(scope=scope).first()
    if limit:
        audit.record(
            actor=actor,
            action=Action.CONCURRENCY_LIMIT_REMOVE,
            **_subjects(scope),
            before=_values(limit),
            reason=reason,
            at=now,
        )
        limit.delete()
    wake()
    return limit is not None


def _values(limit: Concurrency) -> dict[str, Any]:
    return {"attempts_max": limit.attempts_max}


def _subjects(scope: str) -> dict[str, Any]:
    related = [] if scope == _EVERYTHING else [scope]
    return {"subject": f"concurrency:{scope}", "related": related}
