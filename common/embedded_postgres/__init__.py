"""An embedded PostgreSQL for machines without one: started on demand, stopped with its last user.

`connection_settings` is for `settings.DATABASES` and starts nothing: its engine is this package
(`base.DatabaseWrapper`), which starts the server when Django first connects (docs/decisions/0001).
"""

from common.embedded_postgres.binaries import EmbeddedPostgresFailed, programs
from common.embedded_postgres.server import connection_settings, require_own_data, start

__all__ = ["EmbeddedPostgresFailed", "connection_settings", "programs", "require_own_data", "start"]
