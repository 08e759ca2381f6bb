"""Give cost centres and agents other names on pages; their names in the API stay."""

from datetime import datetime

from django.db import transaction

from keys.audit_actions import Action
from keys.identity.services.agents import check_name
from keys.models import Agent, CostCentre
from keys.reasons import check_reason
from keys.refusals import AgentNotFound, CostCentreNotFound
from security import audit
from security.actor import Actor


@transaction.atomic(durable=True)
def rename_cost_centre(
    slug: str, *, name: str, reason: str, actor: Actor, now: datetime
) -> CostCentre:
    """Give a cost centre another name on pages; closed months keep the one that they have.

    The same name again is no change. Refusals: CostCentreNotFound, WrongValue.
    """
    check_reason(reason)
    centre = CostCentre.objects.select_for_update(no_key=True).filter(pk=slug).first()
    if centre is None:
        raise CostCentreNotFound(cost_centre=slug)
    _rename(centre, f"centre:{slug}", Action.COST_CENTRE_RENAME, name, reason, actor, now)
    return centre


@transaction.atomic(durable=True)
def rename_agent(slug: str, *, name: str, reason: str, actor: Actor, now: datetime) -> Agent:
    """Give an agent another name on pages.

    The same name again is no change. Refusals: AgentNotFound, WrongValue.
    """
    check_reason(reason)
    agent = Agent.objects.select_for_update(no_key=True).filter(pk=slug).first()
    if agent is None:
        raise AgentNotFound(agent=slug)
    _rename(agent, f"agent:{slug}", Action.AGENT_RENAME, name, reason, actor, now)
    return agent


def _rename(
    row: Agent | CostCentre,
    subject: str,
    action: Action,
    name: str,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    name = check_name(name)
    if row.name == name:
        return
    before, row.name = row.name, name
    row.save(update_fields=["name"])
    audit.record(
        actor=actor,
        action=action,
        subject=subject,
        before={"name": before},
        after={"name": name},
        reason=reason,
        at=now,
    )
