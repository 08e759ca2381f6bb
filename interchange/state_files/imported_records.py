"""The alerts and the history of a state file as Butler's values. Nothing is saved here."""

from typing import Any

from alerts.services import ForeignAlert
from interchange.state_files.event_types import ACTION_OF_TYPE
from interchange.state_files.schemas import moment
from interchange.state_files.storable import storable
from security import audit
from security.actor import Actor, ActorKind
from security.models import AuditEntry

# The subject of the import itself, and of an entry that names no key, agent or session.
SUBJECT = "state:imported"
_IMPORT_JOB = Actor.job("import")
# Members of a history entry that are columns; the rest is `after`.
_COLUMNS = ("type", "timestamp", "keyId", "agentId", "sessionId", "by", "reason", "before", "after")
_OF_A_KEY = ("reset", "limit_change", "key_change")


def foreign_alert(entry: dict[str, Any]) -> ForeignAlert:
    """The alert of an entry of the file."""
    about = entry.get("sessionId") or entry.get("keyId") or ""
    return ForeignAlert(
        kind=storable(entry["type"]),
        severity=entry["severity"],
        message=storable(entry["message"]),
        dedup_key=storable(f"{entry['type']}:{about}"),
        raised_at=moment(entry["timestamp"]),
        key_id=storable(entry.get("keyId")),
        session_id=storable(entry.get("sessionId")),
        acknowledged=entry.get("acknowledged", False),
        resolved=entry.get("resolved", False),
    )


def audit_entry(entry: dict[str, Any]) -> AuditEntry:
    """The audit entry of an entry of the file's history."""
    rest = {name: value for name, value in entry.items() if name not in _COLUMNS}
    subject, *related = _subjects(entry)
    return audit.entry(
        actor=_actor(storable(entry.get("by") or "")),
        action=ACTION_OF_TYPE[entry["type"]],
        subject=subject,
        related=related,
        before=storable(entry.get("before")),
        after=storable(entry.get("after", rest or None)),
        reason=storable(entry.get("reason") or ""),
        at=moment(entry["timestamp"]),
    )


def _subjects(entry: dict[str, Any]) -> list[str]:
    """The subjects of the entry; what was changed comes first."""
    members = {"session": "sessionId", "agent": "agentId", "key": "keyId"}
    if entry["type"] in _OF_A_KEY:
        members = {"key": "keyId"} | members
    named = {kind: storable(entry.get(member)) for kind, member in members.items()}
    return [f"{kind}:{name}" for kind, name in named.items() if name] or [SUBJECT]


def _actor(by: str) -> Actor:
    """The agent (`agent:ada`) or person that the file names; the import if it names neither."""
    kind, _, slug = by.partition(":")
    if kind == ActorKind.AGENT and slug:
        return Actor.agent(slug)
    return Actor.person(by) if by else _IMPORT_JOB
