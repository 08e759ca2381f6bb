"""The registry of changes that a second person may have to approve. Open to every app.

A kind is registered beside the service that makes its change:

    LIMIT = approvals.register(ApprovalKind(slug="limit", apply=_apply, …))

The module `approval_kinds` of each app names its kinds and is imported at start. A way in calls a
service that proposes the change: it makes the change at once, or asks for an approval where the
policy of the kind says so. `security.services` asks and decides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from security.actor import Actor

if TYPE_CHECKING:
    from security.approval_models import Approval


class Apply(Protocol):
    """Makes the change of an approval, in the transaction that approves it.

    It looks again whether what the change was based on still holds, and refuses with
    ApprovalOutdated if not: then nothing is changed and the approval stays as it was.
    """

    def __call__(self, approval: "Approval", /, *, actor: Actor, now: datetime) -> None:
        """Make the change; `actor` is the person who approved it."""


@dataclass(frozen=True, kw_only=True)
class ApprovalKind:
    """A kind of change. Rows and pages name it by `slug`.

    `meaning`: what is changed, in a full sentence. `permission`: who decides. `wait`: how long an
    approval waits before it expires, if not as long as the settings say. `holders`: the persons who
    could have asked through the program that asked; none of them can decide while the policy of the
    kind is in force. `by_amount`: whether the thresholds of its policies say how many persons
    approve, instead of whether a second person is needed.
    """

    slug: str
    meaning: str
    permission: str
    apply: Apply
    wait: timedelta | None = None
    by_amount: bool = False
    holders: Callable[[Actor, datetime], list[str]] = lambda actor, now: []

    @property
    def label(self) -> str:
        """The name of the kind in words."""
        return self.slug.replace("_", " ").capitalize()


_kinds: dict[str, ApprovalKind] = {}


def register(kind: ApprovalKind) -> ApprovalKind:
    """Add `kind` to the registry and return it. Raises ValueError when its slug is taken."""
    if kind.slug in _kinds:
        raise ValueError(f"Two kinds of approvals have the slug {kind.slug!r}.")
    _kinds[kind.slug] = kind
    return kind


def all_kinds() -> Mapping[str, ApprovalKind]:
    """Every registered kind by its slug."""
    return MappingProxyType(_kinds)


def kind_of(slug: str) -> ApprovalKind:
    """The kind with this slug; a KeyError for a kind that no app registered."""
    return _kinds[slug]
