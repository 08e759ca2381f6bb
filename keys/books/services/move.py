"""Move agents and cost centres to another place in the tree, from now on.

What was spent stays where it was spent: an allocation keeps its payers, and slices their place. So
the part that moves has nothing open. No other transaction can lend, settle or roll windows over
while it moves.
"""

from collections.abc import Iterable
from datetime import datetime

from keys.audit_actions import Action
from keys.books import transactions
from keys.books.queries.open_work import Part
from keys.books.services.end_work import OpenWorkRule, clear, end_work
from keys.identity.services.agents import check_open, lock_open_centre
from keys.limits.services.windows import take_books_alone
from keys.models import Agent, CostCentre, Freeze
from keys.refusals import AgentNotFound, Frozen, WrongValue
from security import audit
from security.actor import Actor

REASON_MAX = 300


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
    WorkIsOpen (unless `open_work` ends it), WrongValue.
    """
    check_reason(reason)
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
    locked = Agent.objects.select_for_update(of=("self",), no_key=True)
    agent = locked.select_related("cost_centre").get(pk=slug)
    if agent.cost_centre_id == to.pk:
        return agent
    take_books_alone()
    refuse_frozen(agent.cost_centre.path)
    part = Part(agent=slug)
    at = clear(part, rule=open_work, reason=f"moved: {reason}", actor=actor, now=now)
    put_agent(agent, to, reason=reason, actor=actor, at=at)
    return agent


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


def check_reason(reason: str) -> None:
    """Refuse an empty or overlong reason. Refusals: WrongValue."""
    if not 1 <= len(reason.strip()) <= REASON_MAX:
        raise WrongValue(f"Give a reason of 1 to {REASON_MAX} characters.", field="reason")
