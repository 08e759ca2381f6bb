"""Random ids of requests and sessions."""

import secrets

# In an answer to a client, no part of an id looks like the HTTP status of an error: some clients
# search the whole body for one before they ask again.
_WITHOUT_STATUSES = str.maketrans("45", "gh")


def random_id(prefix: str) -> str:
    """The prefix and 24 characters: 96 random bits in hexadecimal, with g and h for 4 and 5."""
    return f"{prefix}{secrets.token_hex(12).translate(_WITHOUT_STATUSES)}"
