"""A connection to the database for an event loop, beside those that Django keeps in threads."""

import psycopg
from django.db import connection as django_connection
from psycopg.rows import TupleRow

AsyncConnection = psycopg.AsyncConnection[TupleRow]
# What is raised when the connection or the server is lost, or does not answer in time.
LOST = (psycopg.Error, OSError, TimeoutError)

# What concerns Django's own cursors.
_OF_DJANGO = ("cursor_factory", "context", "prepare_threshold")


async def connect() -> AsyncConnection:
    """A new connection to the database of the settings, in autocommit mode."""
    known = django_connection.get_connection_params()
    place = {name: known[name] for name in known if name not in _OF_DJANGO}
    return await psycopg.AsyncConnection.connect(**place, autocommit=True)
