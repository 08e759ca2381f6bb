"""A limit of requests per minute for each token, counted once for all web processes."""

from datetime import datetime
from typing import Any, NamedTuple, cast

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from common import database_clock
from common.statements import Statement, fetch
from keys.identity.queries.credentials import Bearer


class _Counted(NamedTuple):
    """Requests of this minute, this one with them."""

    requests: int


# Refused requests are not counted: a flood writes nothing. A clock behind counts in the minute that
# another process has begun.
_COUNT = Statement(
    """
    INSERT INTO api_requestcount AS c (bearer, minute, requests)
    -- Nobody waits for the disk: what a crash of the database forgets of a minute is no harm.
    SELECT %(bearer)s, %(minute)s, 1 FROM set_config('synchronous_commit', 'off', true)
    ON CONFLICT (bearer) DO UPDATE
       SET minute = greatest(c.minute, excluded.minute),
           requests = CASE WHEN c.minute < excluded.minute THEN 1 ELSE c.requests + 1 END
     WHERE c.minute < excluded.minute OR c.requests < %(most)s
    RETURNING requests
    """,
    _Counted,
)


class PerToken(BaseThrottle):
    """`settings.API_REQUESTS_PER_MINUTE` for each agent token, and for all sessions of an agent."""

    _seconds_left = 60

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the request if this minute has room for it; otherwise return False."""
        bearer = cast("Bearer | None", request.auth)
        if bearer is None:
            return True
        name = f"sessions of {bearer.agent}" if bearer.session_id else bearer.public
        now = database_clock.now()
        self._seconds_left = 60 - now.second
        return _count_request(name, minute=now.replace(second=0, microsecond=0))

    def wait(self) -> int:
        """Return the seconds until the next minute, for `Retry-After`."""
        return self._seconds_left


def _count_request(bearer: str, *, minute: datetime) -> bool:
    most = settings.API_REQUESTS_PER_MINUTE
    return bool(fetch(_COUNT, bearer=bearer, minute=minute, most=most))
