"""When a token was used last."""

from datetime import datetime, timedelta

from django.db.models import Q

from keys.models import AgentToken

_NOTED_EVERY = timedelta(minutes=1)


def note_token_use(*, token_id: int, now: datetime) -> None:
    """Write down that an agent token was used, at most once a minute whoever notes it."""
    old = Q(last_used_at=None) | Q(last_used_at__lte=now - _NOTED_EVERY)
    AgentToken.objects.filter(old, pk=token_id).update(last_used_at=now)
