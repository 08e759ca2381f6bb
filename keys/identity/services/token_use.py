"""Record when an agent token was last used."""

from datetime import datetime, timedelta

from django.db.models import Q

from keys.models import AgentToken

_NOTED_EVERY = timedelta(minutes=1)


def note_token_use(*, token_id: int, now: datetime) -> None:
    """Record that an agent token was used at `now`; written at most once a minute."""
    old = Q(last_used_at=None) | Q(last_used_at__lte=now - _NOTED_EVERY)
    AgentToken.objects.filter(old, pk=token_id).update(last_used_at=now)
