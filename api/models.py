"""The request counts of the throttle."""

from django.db import models


class RequestCount(models.Model):
    """How many requests one bearer made in the minute that began at `minute`.

    One row per bearer, in an UNLOGGED table: nothing of it reaches the disk before an answer, and a
    crash of the server empties it (docs/decisions/0003-throttle.md).
    """

    bearer = models.TextField(primary_key=True)
    minute = models.DateTimeField()
    requests = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.bearer}: {self.requests} in {self.minute:%H:%M}"
