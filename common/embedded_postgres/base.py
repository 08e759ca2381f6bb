"""Django's database backend for the embedded server: PostgreSQL's own, started when it is needed.

Django finds a backend as the module `base` of the package that `ENGINE` names.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db.backends.postgresql import base, client
from django.utils.asyncio import async_unsafe

from common.embedded_postgres.server import start


class DatabaseClient(client.DatabaseClient):
    """`manage.py dbshell`, whose psql connects past Django."""

    def runshell(self, parameters: Iterable[str]) -> None:
        """Start the server, then psql."""
        self.connection.ensure_connection()
        super().runshell(parameters)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to the server in `settings_dict["EMBEDDED_FOLDER"]`, which it starts or joins.

    A server that cannot be started is an OperationalError, as a server that is away.
    """

    client_class = DatabaseClient
    _starts_server = True

    @async_unsafe
    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection:
        """Connect; the first connection of the process waits until the server runs."""
        if self._starts_server:
            start(self.settings_dict["EMBEDDED_FOLDER"])
        connection: psycopg.Connection = super().get_new_connection(conn_params)
        return connection

    @contextmanager
    def without_start(self) -> Iterator[None]:
        """Connect only to a server that runs already; otherwise raise OperationalError."""
        self._starts_server = False
        try:
            yield
        finally:
            self._starts_server = True
