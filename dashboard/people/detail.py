"""What the page of one person shows."""

from datetime import datetime
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User

from dashboard.people.browsers import browser_name
from gate import queries as gate
from gate import roles
from keys.books.queries.pages import latest_history
from security.audit_changes import changes

_SHOWN = 20


def detail(user: Any, person: User, *, now: datetime) -> dict[str, Any]:
    """The context of the page, as far as the person may see its parts."""
    access = gate.access_of(person)
    context: dict[str, Any] = {
        "roles": [role for role in roles.roles().values() if role.name in access.roles],
        "centres": sorted(access.centres),
        "factors": gate.second_factors().get(person.pk, []),
        "sessions": sessions(gate.sign_ins_of(person, now=now)),
    }
    if user.has_perm("security.view_auditentry"):
        entries = latest_history(about=f"user:{person.pk}", most=_SHOWN)
        context["history"] = [{"entry": entry, "changes": changes(entry)} for entry in entries]
    return context


def sessions(rows: Any) -> list[tuple[UserSession, str]]:
    """Each session, with its browser in words."""
    return [(each, browser_name(each.user_agent)) for each in rows]
