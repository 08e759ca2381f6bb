"""What is open of agents and cost centres: it stands in the way of moving or closing them.

Sessions are what this app knows. An app above adds its own kind of work, in a module `open_work`,
which is imported at start:

    open_work.register(_Tasks())
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from keys.models import Agent, Allocation, Charge, CostCentre
from keys.refusals import OpenSession
from security.actor import Actor

_NAMED_MAX = 5


class Part(NamedTuple):
    """One agent, or a cost centre with all below it: what is moved or closed."""

    agent: str = ""
    cost_centre: str = ""

    def centres(self) -> QuerySet[CostCentre]:
        """The cost centres of the part; none if it is an agent."""
        return CostCentre.objects.filter(path__contains=[self.cost_centre]).order_by()

    def agents(self) -> QuerySet[Agent]:
        """The agents of the part."""
        if self.agent:
            return Agent.objects.filter(pk=self.agent).order_by()
        return Agent.objects.filter(cost_centre__in=self.centres()).order_by()

    def paid_or_spent_by(self) -> Q:
        """The condition for rows with an `agent` and a `cost_centre` that are of the part.

        An agent may charge a cost centre below its own, and so one that it is not in.
        """
        if self.agent:
            return Q(agent=self.agent)
        return Q(cost_centre__in=self.centres()) | Q(agent__in=self.agents())


class OtherWork(NamedTuple):
    """A piece of work of an app above, such as the task 7."""

    id: int
    name: str


class Source(Protocol):
    """Finds and ends one kind of work. `noun`: one such piece, for people, as `task`."""

    noun: str

    def find(self, part: Part) -> Sequence[OtherWork]:
        """The pieces of work of the part that could still ask for tokens, the oldest first."""

    def end(self, work: OtherWork, *, reason: str, actor: Actor, now: datetime) -> None:
        """End one piece, in a transaction of its own. A second call changes nothing."""


sources: list[Source] = []


def register(source: Source) -> None:
    """Add a kind of work to the registry."""
    sources.append(source)


@dataclass(frozen=True)
class OpenWork:
    """What is open now.

    `tokens` is what the open sessions have left. `in_flight` calls run, also of sessions that have
    ended: they are paid where they were started. `first` names some of the sessions, `others` the
    number of each other kind of work by its noun.
    """

    sessions: int
    tokens: int
    in_flight: int
    first: Sequence[OpenSession]
    others: dict[str, int]

    def __bool__(self) -> bool:
        """Whether anything could still ask for tokens, or spend those it has."""
        return bool(self.sessions or any(self.others.values()))


def open_sessions(part: Part) -> QuerySet[Allocation]:
    """The open allocations of the part, in the order in which they are locked."""
    active = Allocation.objects.filter(status=Allocation.Status.ACTIVE)
    return active.filter(part.paid_or_spent_by()).order_by("pk")


def open_work(part: Part) -> OpenWork:
    """What of the part is open; three queries and one for each kind of other work."""
    rows = open_sessions(part)
    sums = rows.order_by().aggregate(
        sessions=Count("pk"), tokens=Coalesce(Sum("allocated") - Sum("used"), 0)
    )
    of_part = Allocation.objects.filter(part.paid_or_spent_by(), held__gt=0).order_by()
    in_flight = Charge.objects.filter(
        status=Charge.Status.HELD, allocation__in=of_part.values("pk")
    ).count()
    return OpenWork(
        sessions=sums["sessions"],
        tokens=sums["tokens"],
        in_flight=in_flight,
        first=[
            OpenSession(each.session_id, each.agent_id, each.left) for each in rows[:_NAMED_MAX]
        ],
        others={each.noun: len(each.find(part)) for each in sources},
    )
