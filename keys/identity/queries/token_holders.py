"""The persons behind an agent: those who issued a token of it, and so can act as the agent."""

from datetime import datetime

from django.contrib.auth import get_user_model
from django.db.models import Q

from keys.audit_actions import Action
from keys.models import AgentToken
from security import persons
from security.actor import Actor, ActorKind
from security.models import AuditEntry


def token_holders(actor: Actor, at: datetime) -> list[str]:
    """The identities of persons who issued a token of the agent that was live at this moment.

    None for actors that are no agents.
    """
    if actor.kind != ActorKind.AGENT:
        return []
    live = AgentToken.objects.filter(Q(revoked_at=None) | Q(revoked_at__gt=at), agent=actor.name)
    issued = AuditEntry.objects.filter(
        action=Action.TOKEN_ISSUE,
        actor_kind=ActorKind.PERSON,
        subjects__overlap=[f"agent_token:{pk}" for pk in live.values_list("pk", flat=True)],
    )
    names = set(issued.values_list("actor_name", flat=True))
    users = get_user_model().objects.filter(username__in=names)
    return [identity for user in users for identity in persons.identities_of_user(user)]
