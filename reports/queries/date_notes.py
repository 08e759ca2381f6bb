"""Notes on dates."""

from datetime import date

from django.db.models import QuerySet

from reports.models import DateNote


def notes_between(first: date, last: date) -> QuerySet[DateNote]:
    """The notes on the days from `first` to `last`, in order of their days."""
    return DateNote.objects.filter(noted_on__range=(first, last))
