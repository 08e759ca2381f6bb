"""`manage.py people`."""

from django.core.management.base import BaseCommand

from gate.queries import write_access_review


class Command(BaseCommand):
    """Print who may what, as CSV."""

    help = "Print every person with their roles, rights and cost centres, as CSV."

    def handle(self, **options: object) -> None:
        """Write the access review."""
        write_access_review(self.stdout)
