"""`manage.py makemigrations`: Django's own, which starts no embedded PostgreSQL."""

import warnings

from django.core.management.commands import makemigrations
from django.db import DEFAULT_DB_ALIAS, connections

from common.embedded_postgres.base import DatabaseWrapper


class Command(makemigrations.Command):
    """Compare the models with the migrations.

    Django also looks whether the database applied its migrations in order, and warns when it cannot
    connect. An embedded server that does not run is not started for this, and nothing is wrong
    with it, so there is no warning either.
    """

    def handle(self, *app_labels: str, **options: object) -> None:
        """Write the missing migrations, or with `--check` report that some are missing."""
        database = connections[DEFAULT_DB_ALIAS]
        if not isinstance(database, DatabaseWrapper):
            super().handle(*app_labels, **options)
            return
        with database.without_start(), warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "Got an error checking a consistent migration history", RuntimeWarning
            )
            super().handle(*app_labels, **options)
