"""Files of a person."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from reports.models import ExportFile


def exports_of(user: Any, *, now: datetime) -> QuerySet[ExportFile]:
    """The files that the person asked for and that have not expired, newest first."""
    return ExportFile.objects.filter(owner=user, expires_at__gt=now)


def parts_of(file: ExportFile) -> Iterator[bytes]:
    """The content of a file, part by part."""
    for number in range(file.parts.count()):
        yield bytes(file.parts.get(number=number).content)
