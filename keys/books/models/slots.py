"""Slots: standing credentials whose calls are paid by whichever allocation sits in them."""

from django.db import models
from django.db.models import Q

from keys.books.models.allocations import Allocation


class Slot(models.Model):
    """A seat for one allocation after the other.

    free ──take──▶ taken ──free──▶ free

    For programs that know their credentials only from a file of their own: each slot stands in it
    with its token, and what is called with the token is paid by the allocation that sits in it at
    that moment. Nobody sits in a free one. `runner` names the program. The `refusal` is what the
    gateway last said no with to whoever sits, for programs that do not hand on what they were told.
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
                # Some programs know names in lower case only.
                condition=Q(slug__regex=r"^[a-z][a-z0-9]*$"),
                name="slot_has_a_plain_name",
            ),
        ]
        indexes = [
            # Those that were free for longest are taken first.
            models.Index(
                fields=["runner", "freed_at", "slug"],
                condition=Q(allocation__isnull=True),
                name="slot_free",
            )
        ]

    def __str__(self) -> str:
        return self.slug
