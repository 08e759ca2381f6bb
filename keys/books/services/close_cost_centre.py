"""Close a cost centre with all below it, and open it again."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from keys.audit_actions import Action
from keys.books import transactions
from keys.books.queries.open_work import Part
from keys.books.services.end_work import OpenWorkRule, clear, end_work
from keys.books.services.move import put_agent, refuse_frozen, refuse_own
from keys.identity.services.agents import check_open, disable_agent
from keys.limits.services.windows import take_books_alone
from keys.models import Agent, CostCentre
from keys.reasons import check_reason
from keys.refusals import CostCentreClosed, CostCentreNotFound, WrongValue
from security import audit
from security.actor import Actor


def close_cost_centre(
    slug: str,
    *,
    agents_to: str = "",
    open_work: OpenWorkRule = OpenWorkRule.REFUSE,
    reason: str,
    actor: Actor,
    now: datetime,
) -> CostCentre:
    """Close a cost centre with all below it: nothing new is lent in their names.

    Their agents move to the cost centre `agents_to`; without one they are switched off. All that
    was spent stays readable. A second call changes nothing.

    Refusals: CostCentreNotFound, CostCentreClosed (the one for the agents), Frozen, WorkIsOpen
    (unless `open_work` ends it), OwnPlace, WrongValue.
    """
    check_reason(reason)
    refuse_own(Part(cost_centre=slug), actor)
    _check(slug, agents_to)
    if open_work == OpenWorkRule.END:
        end_work(Part(cost_centre=slug), reason=f"closed: {reason}", actor=actor, now=now)
    return _close(
        slug, agents_to=agents_to, open_work=open_work, reason=reason, actor=actor, now=now
    )


def _check(slug: str, agents_to: str) -> None:
    centre = CostCentre.objects.filter(pk=slug).first()
    if centre is None:
        raise CostCentreNotFound(cost_centre=slug)
    refuse_frozen(centre.path)
    if not agents_to:
        return
    to = check_open(agents_to, CostCentre.objects.filter(pk=agents_to).first())
    if slug in to.path:
        raise WrongValue(
            f"{agents_to} closes together with {slug}. Name another cost centre for the agents.",
            field="agents_to",
        )


@transactions.in_books
def _close(
    slug: str,
    *,
    agents_to: str,
    open_work: OpenWorkRule,
    reason: str,
    actor: Actor,
    now: datetime,
) -> CostCentre:
    part = Part(cost_centre=slug)
    # Rows of the tree are locked before the books: cost centres by name, then agents.
    locked = CostCentre.objects.filter(Q(path__contains=[slug]) | Q(pk=agents_to)).order_by("pk")
    centres = list(locked.select_for_update(no_key=True))
    _check(slug, agents_to)
    agents = _agents(part)
    take_books_alone()
    at = clear(part, rule=open_work, reason=f"closed: {reason}", actor=actor, now=now)
    for agent in agents:
        _retire(agent, agents_to, reason=reason, actor=actor, at=at)
    # Each after those below it.
    for centre in sorted(centres, key=lambda each: -len(each.path)):
        if slug in centre.path and centre.closed_at is None:
            centre.closed_at = at
            centre.save(update_fields=["closed_at"])
            _record(centre, Action.COST_CENTRE_CLOSE, reason=reason, actor=actor, at=at)
    return CostCentre.objects.get(pk=slug)


def _agents(part: Part) -> list[Agent]:
    """The agents that are switched on, locked."""
    agents = part.agents().filter(disabled_at=None).order_by("pk")
    return list(agents.select_for_update(of=("self",), no_key=True))


def _retire(agent: Agent, to: str, *, reason: str, actor: Actor, at: datetime) -> None:
    if to:
        put_agent(agent, CostCentre(pk=to), reason=reason, actor=actor, at=at)
    else:
        disable_agent(agent, actor=actor, reason=reason, now=at)


@transaction.atomic(durable=True)
def reopen_cost_centre(slug: str, *, reason: str, actor: Actor, now: datetime) -> CostCentre:
    """Let a closed cost centre pay again. Those below it, and its agents, stay as they are.

    A second call changes nothing. Refusals: CostCentreNotFound, CostCentreClosed (the one above
    it), WrongValue.
    """
    check_reason(reason)
    above = CostCentre.objects.filter(children=slug).order_by()
    both = CostCentre.objects.filter(Q(pk=slug) | Q(pk__in=above.values("pk"))).order_by("pk")
    rows = {row.pk: row for row in both.select_for_update(no_key=True)}
    if (centre := rows.get(slug)) is None:
        raise CostCentreNotFound(cost_centre=slug)
    if centre.closed_at is None:
        return centre
    if centre.parent_id and rows[centre.parent_id].closed_at:
        raise CostCentreClosed(cost_centre=centre.parent_id)
    centre.closed_at = None
    centre.save(update_fields=["closed_at"])
    _record(centre, Action.COST_CENTRE_REOPEN, reason=reason, actor=actor, at=now)
    return centre


def _record(centre: CostCentre, action: Action, *, reason: str, actor: Actor, at: datetime) -> None:
    is_closed = centre.closed_at is not None
    audit.record(
        actor=actor,
        action=action,
        subject=f"centre:{centre.pk}",
        before={"closed": not is_closed},
        after={"closed": is_closed},
        reason=reason,
        at=at,
    )
