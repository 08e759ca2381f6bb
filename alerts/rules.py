"""The registry of kinds of rules: what can be watched. Open to every app.

An app that can find something has a module `alert_rules`, which registers its kinds when Django
starts (`alerts.apps`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from alerts.kinds import AlertKind


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a rule finds now. `key` says what it is about: the same key is the same incident.

    The rest is that of the alert (`alerts.services.raise_alert`).
    """

    key: str
    title: str
    detail: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    key_id: str | None = None
    agent_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What a rule of a kind watches: from which `figure` on, in which cost centre (blank: all)."""

    figure: Decimal
    cost_centre: str
    now: datetime


@dataclass(frozen=True, kw_only=True)
class RuleKind:
    """A kind of rule. `figure` names its number, which is from `least` to `most`.

    `about` says in sentences when the rule finds something. `find` only reads, in few queries that
    take the same time however many charges there are.
    """

    slug: str
    title: str
    about: str
    figure: str
    least: int
    most: int
    default: int
    alert_kind: AlertKind
    find: Callable[[Watch], Iterable[Finding]]
    has_cost_centre: bool = True


_kinds: dict[str, RuleKind] = {}


def register(kind: RuleKind) -> RuleKind:
    """Add `kind` to the registry and return it. Raises ValueError when its slug is taken."""
    if kind.slug in _kinds:
        raise ValueError(f"Two kinds of rules have the slug {kind.slug!r}.")
    _kinds[kind.slug] = kind
    return kind


def all_kinds() -> Mapping[str, RuleKind]:
    """Every registered kind by its slug."""
    return MappingProxyType(_kinds)
