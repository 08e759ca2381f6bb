"""The actor of a change: every service that writes takes one as `actor=`, and the audit keeps it.

An actor is created once, where a request, a job or a command begins.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class ActorKind(StrEnum):
    """The kinds of actors."""

    PERSON = "person"
    AGENT = "agent"
    JOB = "job"
    COMMAND_LINE = "command_line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, from which network address, under which request id (empty: not known).

    `name` is bare: a user name, the slug of an agent, the name of a job. `str(actor)` is what pages
    and the API show: `agent:ada` for an agent, the name for all others.
    """

    name: str
    kind: ActorKind
    address: str = ""
    request_id: str = ""

    @classmethod
    def person(cls, username: str, *, address: str = "", request_id: str = "") -> Self:
        """A user who has signed in."""
        return cls(name=username, kind=ActorKind.PERSON, address=address, request_id=request_id)

    @classmethod
    def agent(cls, slug: str, *, address: str = "", request_id: str = "") -> Self:
        """An agent that has sent its token."""
        return cls(name=slug, kind=ActorKind.AGENT, address=address, request_id=request_id)

    @classmethod
    def job(cls, name: str, *, address: str = "", request_id: str = "") -> Self:
        """Butler itself: a scheduled job, or a part of it that decides alone what follows from a
        request."""
        return cls(name=name, kind=ActorKind.JOB, address=address, request_id=request_id)

    @classmethod
    def command_line(cls) -> Self:
        """A person with a shell on Butler's machine."""
        return cls(name="command line", kind=ActorKind.COMMAND_LINE)

    def __str__(self) -> str:
        return display_name(self.name, self.kind)


def display_name(name: str, kind: str) -> str:
    """An actor as pages and the API show it, from its name and its kind."""
    return f"{ActorKind.AGENT}:{name}" if kind == ActorKind.AGENT else name
