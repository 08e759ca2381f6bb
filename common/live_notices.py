"""Tell the processes that keep pages live that rows were written, by PostgreSQL's NOTIFY.

PostgreSQL lets only one transaction at a time commit a NOTIFY. So it is never sent in the
transaction that writes, but in one of its own after it, and a process sends each topic at most once
a second. Who hears a topic therefore looks twice: at once, and a second later for what was written
while the sender was silent. A notice that is lost costs nothing but time: pages are also rendered
again every few seconds.
"""

from time import monotonic

from django.db import connection, transaction

CHANNEL = "butler"
# Something that pages show was written, other than charges.
ROWS = "rows"

_SILENT_SECONDS = 1.0
# When each topic was sent, as long as it matters.
_sent_at: dict[str, float] = {}


def announce(topic: str = ROWS) -> None:
    """Send `topic` once the caller's transaction has committed, unless it was sent just now.

    No refusals, and no errors: what was committed must not look as if it had failed.
    """
    transaction.on_commit(lambda: _notify(topic), robust=True)


def person_topic(person_id: int) -> str:
    """The topic of what a person may see: signed out, switched off, or other roles."""
    return f"person:{person_id}"


def _notify(topic: str) -> None:
    now = monotonic()
    for each, sent_at in list(_sent_at.items()):
        if now - sent_at >= _SILENT_SECONDS:
            _sent_at.pop(each, None)
    if _sent_at.setdefault(topic, now) == now:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, topic])
