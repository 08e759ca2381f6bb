"""The secret that signs the messages of a webhook."""

import uuid
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from alerts.models.channel import Channel
from security.fields import SealedField


class SigningSecretQuerySet(models.QuerySet["SigningSecret"]):
    """Filters on signing secrets."""

    def valid(self, now: datetime) -> Self:
        """Secrets that sign messages now, the newest first."""
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=now)).order_by("-created_at", "pk")


class SigningSecret(models.Model):
    """A secret of a webhook, as `whsec_…`, sealed; people see it once, when it is made.

    A channel has one without an end. A rotation gives that one an end and adds another: until
    then, each message is signed with both, so its service can change over at any moment.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="signing_secrets")
    sealed = SealedField(bound_to="id")
    created_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

    objects = SigningSecretQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["channel"],
                condition=Q(ends_at=None),
                name="signing_secret_one_without_end_per_channel",
            ),
        ]

    def __str__(self) -> str:
        return f"signing secret of {self.channel_id}"
