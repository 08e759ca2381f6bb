"""Slots: standing credentials whose calls are paid by the allocation in the slot."""

from django.db import models
from django.db.models import Q

from keys.books.models.allocations import Allocation


class Slot(models.Model):
    """A place for one allocation after the other.

    free ──take──▶ taken ──free──▶ free

    For programs that read their credentials only from their own configuration file. The file lists
    each slot with its token, and the allocation that is in the slot at that moment pays for calls
    with the token. A free slot has no allocation. `runner` names the program. `refusal_code` and
    `refusal` are the gateway's last refusal of the allocation in the slot, for programs that do not
    pass on the response of the gateway.
    """

    slug = models.SlugField(primary_key=True, max_length=64)
    runner = models.CharField(max_length=100)
    allocation = models.OneToOneField(Allocation, models.PROTECT, null=True, related_name="slot")
    taken_at = models.DateTimeField(null=True)
    freed_at = models.DateTimeField(null=True)
    refusal_code = models.CharField(max_length=40, blank=True, default="")
    refusal = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(
                condition=Q(allocation__isnull=True, taken_at__isnull=True)
                | Q(allocation__isnull=False, taken_at__isnull=False),
                name="slot_is_free_or_taken",
            ),
            models.CheckConstraint(
                # Some programs allow names in lower case only.
                condition=Q(slug__regex=r"^[a-z][a-z0-9]*$"),
                name="slot_has_a_plain_name",
            ),
        ]
        indexes = [
            # The slot that has been free for longest is taken first.
            models.Index(
                fields=["runner", "freed_at", "slug"],
                condition=Q(allocation__isnull=True),
                name="slot_free",
            )
        ]

    def __str__(self) -> str:
        return self.slug
