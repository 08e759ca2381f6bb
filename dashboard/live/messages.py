"""Messages of a stream, in the format of server-sent events.

Their id is the moment at which they were true. A message without a name is the state of the page.
"""

from datetime import UTC, datetime

# The page is as it was sent last. Proxies would pass a comment on too, but no script sees it, and a
# page whose stream was lost without a word could not be told from one on which nothing happens.
ALIVE = "alive"
# There are new charges, which a page with its own view does not show.
CHANGED = "changed"
# The person may not see the page any more, or sees other parts of it.
BYE = "bye"


def message(name: str, *, data: str = "", at: datetime) -> bytes:
    """One message; `name` is "" for the state of the page."""
    event = [f"event: {name}"] if name else []
    # Every line end counts in this format, and in HTML it makes no difference which one it is.
    lines = [f"data: {line}" for line in data.splitlines() or [""]]
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return "\n".join([f"id: {moment}", *event, *lines, "\n"]).encode()
