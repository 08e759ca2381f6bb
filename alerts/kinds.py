"""The registry of alert kinds, each with its meaning and its remedy. Open to every app.

An app that raises alerts has a module `alert_kinds` with a constant for each kind:

    KEY_BROKEN = register(AlertKind(slug="key_broken", severity=Severity.CRITICAL, …))

The modules of all installed apps are imported when Django starts (`alerts.apps`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from alerts.severity import Severity


@dataclass(frozen=True, kw_only=True)
class AlertKind:
    """A kind of alert. Rows, the API and the filters of channels name it by `slug`.

    `meaning` explains what has happened and what follows, `remedy` what to do; both in full
    sentences for a person who sees such an alert for the first time.

    `page` is the page where the remedy is carried out, by its name in the table of links
    (`common.links`). It shows the row that the alert names in `subject`: its `key_id`, `agent_id`
    or `session_id`, or a member of its facts.

    `is_security`: persons cannot mute it, and it waits for no quiet hours of theirs. `continues`:
    slugs of kinds that tell of the same before, with the same dedup key. Who was told of one of
    them by name is not told of this one.
    """

    slug: str
    severity: Severity
    meaning: str
    remedy: str
    page: str
    subject: str
    is_security: bool = False
    continues: tuple[str, ...] = ()


_kinds: dict[str, AlertKind] = {}


def register(kind: AlertKind) -> AlertKind:
    """Add `kind` to the registry and return it. Raises ValueError when its slug is taken."""
    if kind.slug in _kinds:
        raise ValueError(f"Two kinds of alerts have the slug {kind.slug!r}.")
    _kinds[kind.slug] = kind
    return kind


def all_kinds() -> Mapping[str, AlertKind]:
    """Every registered kind by its slug."""
    return MappingProxyType(_kinds)


def find(slug: str) -> AlertKind | None:
    """The kind with this slug; None for a kind that only another system knows (imported alerts)."""
    return _kinds.get(slug)


def is_security(slug: str) -> bool:
    """Whether the kind is about security; one that only another system knows is not."""
    kind = _kinds.get(slug)
    return kind is not None and kind.is_security
