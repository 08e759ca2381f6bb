"""Which part of the tree of cost centres a person is bound to."""

from django.conf import settings
from django.db import models

from common.money_fields import created_at_field
from keys.models import CostCentre


class CentreBinding(models.Model):
    """Binds a person to a cost centre and those below it: the person sees and changes only these.

    People without a binding see all cost centres. A binding does not restrict superusers.
    """

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="centre_bindings",
        help_text="The person who is bound.",
    )
    cost_centre = models.ForeignKey(
        CostCentre,
        models.PROTECT,
        related_name="+",
        help_text="The top of the part of the tree that the person sees.",
    )
    created_at = created_at_field()

    class Meta:
        permissions = [("manage_people", "Can invite people, switch them off and give them roles")]
        constraints = [
            models.UniqueConstraint(
                fields=["person", "cost_centre"], name="centrebinding_once_per_person_and_centre"
            )
        ]

    def __str__(self) -> str:
        return f"{self.person_id} is bound to {self.cost_centre_id}"
