"""Where cost centres are in the tree, and where they were."""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models

from keys.identity.models.agents import CostCentre


class Placement(models.Model):
    """A place in the tree that a cost centre has or had: `path` has the slugs from the root to it.

    Allocations and sums of usage name the placement that they were lent in. So what was spent stays
    where it was spent when a cost centre moves. The database adds the row when the path of a cost
    centre is written; one that comes back to a place has the row that it had.
    """

    cost_centre = models.ForeignKey(CostCentre, models.PROTECT, related_name="placements")
    path = ArrayField(models.SlugField(max_length=64))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cost_centre", "path"], name="placement_once_per_path")
        ]
        triggers = [
            pgtrigger.Protect(name="placement_is_kept", operation=pgtrigger.Delete),
            pgtrigger.Protect(name="placement_never_changes", operation=pgtrigger.Update),
        ]

    def __str__(self) -> str:
        return " / ".join(self.path)
