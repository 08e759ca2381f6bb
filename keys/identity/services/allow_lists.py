"""Set which models and providers an agent or a cost centre allows."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from keys.audit_actions import Action
from keys.models import Agent, CostCentre
from keys.patterns import pattern_mistake
from keys.reasons import check_reason
from keys.refusals import AgentNotFound, CostCentreNotFound, WrongValue
from security import audit
from security.actor import Actor

_ENTRIES_MAX = 100


def check_allow_list(entries: Iterable[str], *, field: str) -> list[str]:
    """The names and patterns in lower case, each once. Refusals: WrongValue."""
    entries = list(dict.fromkeys(entry.lower() for entry in entries))
    if len(entries) > _ENTRIES_MAX:
        raise WrongValue(f"Give at most {_ENTRIES_MAX} names and patterns.", field=field)
    for entry in entries:
        if mistake := pattern_mistake(entry):
            raise WrongValue(mistake, field=field)
    return entries


@transaction.atomic
def set_allow_list(
    subject: Agent | CostCentre,
    *,
    models: Iterable[str],
    providers: Iterable[str],
    actor: Actor,
    reason: str,
    now: datetime,
) -> Agent | CostCentre:
    """Allow an agent, or a cost centre with all below it, only these models and providers: names or
    patterns, none for all.

    The gateway follows within seconds, also for open sessions. Refusals: WrongValue, AgentNotFound,
    CostCentreNotFound.
    """
    check_reason(reason)
    after = {
        "allowed_models": check_allow_list(models, field="models"),
        "allowed_providers": check_allow_list(providers, field="providers"),
    }
    row = type(subject).objects.select_for_update(no_key=True).filter(pk=subject.pk).first()
    if row is None:
        raise _not_found(subject)
    before = {field: getattr(row, field) for field in after}
    if before == after:
        return row
    for field, value in after.items():
        setattr(row, field, value)
    row.save(update_fields=list(after))
    kind = "agent" if isinstance(row, Agent) else "centre"
    audit.record(
        actor=actor,
        action=Action.ALLOW_LIST_SET,
        subject=f"{kind}:{row.pk}",
        before=before,
        after=after,
        reason=reason,
        at=now,
    )
    return row


def _not_found(subject: Agent | CostCentre) -> AgentNotFound | CostCentreNotFound:
    if isinstance(subject, Agent):
        return AgentNotFound(agent=subject.pk)
    return CostCentreNotFound(cost_centre=subject.pk)
