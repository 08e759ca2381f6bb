"""Move agents and cost centres to another place in the tree, from now on.

What was spent stays where it was spent: an allocation keeps its payers, and slices their place. So
the part that moves has nothing open. No other transaction can lend, settle or roll windows over
while it moves.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db.models import Q

from keys.audit_actions import Action
from keys.books import transactions
from keys.books.queries.open_work import Part
from keys.books.services.end_work import OpenWorkRule, clear, end_work
from keys.identity.services.agents import check_open, lock_open_centre
from keys.limits.services.windows import take_books_alone
from keys.models import Agent, CostCentre, Freeze
from keys.reasons import check_reason
from keys.refusals import AgentNotFound, CostCentreNotFound, Frozen, OwnPlace, WrongValue
from security import audit
from security.actor import Actor, ActorKind


def move_agent(
    slug: str,
    *,
    cost_centre: str,
    open_work: OpenWorkRule = OpenWorkRule.REFUSE,
    reason: str,
    actor: Actor,
    now: datetime,
) -> Agent:
    """Let another cost centre pay for an agent from now on; to the same one is no change.

    Refusals: AgentNotFound, CostCentreNotFound, CostCentreClosed, Frozen (its cost centre),
    WorkIsOpen (unless `open_work` ends it), OwnPlace, WrongValue.
    """
    check_reason(reason)
    refuse_own(Part(agent=slug), actor)
    agent = Agent.objects.filter(pk=slug).first()
    if agent is None:
        raise AgentNotFound(agent=slug)
    check_open(cost_centre, CostCentre.objects.filter(pk=cost_centre).first())
    if agent.cost_centre_id != cost_centre and open_work == OpenWorkRule.END:
        end_work(Part(agent=slug), reason=f"moved: {reason}", actor=actor, now=now)
    return _move_agent(
        slug, cost_centre=cost_centre, open_work=open_work, reason=reason, actor=actor, now=now
    )


@transactions.in_books
def _move_agent(
    slug: str,
    *,
    cost_centre: str,
    open_work: OpenWorkRule,
    reason: str,
    actor: Actor,
    now: datetime,
) -> Agent:
    # Rows of the tree are locked before the books: cost centres by name, then agents.
    to = lock_open_centre(cost_centre)
    # Without its cost centre: a join finds no row if another move was waited for.
    agent = Agent.objects.select_for_update(no_key=True).get(pk=slug)
    if agent.cost_centre_id == to.pk:
        return agent
    take_books_alone()
    refuse_frozen(agent.cost_centre.path)
    part = Part(agent=slug)
    at = clear(part, rule=open_work, reason=f"moved: {reason}", actor=actor, now=now)
    put_agent(agent, to, reason=reason, actor=actor, at=at)
    return agent


def move_cost_centre(
    slug: str,
    *,
    parent: str,
    open_work: OpenWorkRule = OpenWorkRule.REFUSE,
    reason: str,
    actor: Actor,
    now: datetime,
) -> CostCentre:
    """Put a cost centre with all below it under another one from now on; `parent` "": at the top.

    The same place again is no change.

    Refusals: CostCentreNotFound, CostCentreClosed (the parent), Frozen (one above it), WorkIsOpen
    (unless `open_work` ends it), OwnPlace, WrongValue (it would be below itself, or it is closed).
    """
    check_reason(reason)
    refuse_own(Part(cost_centre=slug), actor)
    centre = _movable(slug, parent, {})
    if (centre.parent_id or "") != parent and open_work == OpenWorkRule.END:
        end_work(Part(cost_centre=slug), reason=f"moved: {reason}", actor=actor, now=now)
    return _move_cost_centre(
        slug, parent=parent, open_work=open_work, reason=reason, actor=actor, now=now
    )


@transactions.in_books
def _move_cost_centre(
    slug: str, *, parent: str, open_work: OpenWorkRule, reason: str, actor: Actor, now: datetime
) -> CostCentre:
    # Rows of the tree are locked before the books: cost centres by name, then agents.
    rows = _lock_part(slug, parent)
    centre = _movable(slug, parent, rows)
    if (centre.parent_id or "") == parent:
        return centre
    take_books_alone()
    part = Part(cost_centre=slug)
    at = clear(part, rule=open_work, reason=f"moved: {reason}", actor=actor, now=now)
    before, centre.parent_id = centre.parent_id, parent or None
    _write_paths(centre, rows, above=rows[parent].path if parent else [])
    audit.record(
        actor=actor,
        action=Action.COST_CENTRE_MOVE,
        subject=f"centre:{slug}",
        related=[f"centre:{each}" for each in (before, parent) if each],
        before={"parent": before},
        after={"parent": parent or None, "path": centre.path},
        reason=reason,
        at=at,
    )
    return centre


def _lock_part(slug: str, parent: str) -> dict[str, CostCentre]:
    """The cost centre, all below it and the new parent, locked; also what is added until then."""
    wanted = CostCentre.objects.filter(Q(path__contains=[slug]) | Q(pk=parent)).order_by("pk")
    locked: dict[str, CostCentre] = {}
    # Who adds one below locks its parent: what this waited for is seen by the next look.
    while len(rows := list(wanted.select_for_update(no_key=True))) > len(locked):
        locked = {row.pk: row for row in rows}
    return locked


def _movable(slug: str, parent: str, rows: Mapping[str, CostCentre]) -> CostCentre:
    """The cost centre, if it can move there; of the locked `rows`, or as it is read."""
    centre = rows.get(slug) or CostCentre.objects.filter(pk=slug).first()
    if centre is None:
        raise CostCentreNotFound(cost_centre=slug)
    if centre.closed_at:
        raise WrongValue(f"{slug} is closed. Reopen it before you move it.", field="parent")
    if parent:
        to = check_open(parent, rows.get(parent) or CostCentre.objects.filter(pk=parent).first())
        if slug in to.path:
            raise WrongValue(f"{parent} is {slug} or below it. Use another place.", field="parent")
    refuse_frozen(centre.path[:-1])
    return centre


def _write_paths(centre: CostCentre, rows: Mapping[str, CostCentre], *, above: list[str]) -> None:
    """Give the cost centre and all below it their new paths, each after the one above it."""
    depth = len(centre.path) - 1
    part = [row for row in rows.values() if centre.pk in row.path]
    for row in sorted(part, key=lambda each: len(each.path)):
        row.path = [*above, *row.path[depth:]]
        row.save(update_fields=["parent", "path"])


def put_agent(agent: Agent, to: CostCentre, *, reason: str, actor: Actor, at: datetime) -> None:
    """Let `to` pay for the agent, which is locked and has nothing open."""
    before, agent.cost_centre = agent.cost_centre_id, to
    agent.save(update_fields=["cost_centre"])
    audit.record(
        actor=actor,
        action=Action.AGENT_MOVE,
        subject=f"agent:{agent.pk}",
        related=[f"centre:{before}", f"centre:{to.pk}"],
        before={"cost_centre": before},
        after={"cost_centre": to.pk},
        reason=reason,
        at=at,
    )


def refuse_frozen(path: Iterable[str]) -> None:
    """Refuse to take something out of frozen cost centres: another person thaws them first.

    Refusals: Frozen.
    """
    scopes = [f"centre:{slug}" for slug in path]
    frozen = Freeze.objects.filter(thawed_at=None, scope__in=scopes).order_by("scope").first()
    if frozen:
        raise Frozen(scope=frozen.scope)


def refuse_own(part: Part, actor: Actor) -> None:
    """Refuse an agent that is of the part: it would choose the budgets that it spends from.

    Refusals: OwnPlace.
    """
    if actor.kind == ActorKind.AGENT and part.agents().filter(pk=actor.name).exists():
        raise OwnPlace(agent=actor.name)
