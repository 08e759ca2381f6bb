"""What two persons have decided: one asked for it, another approved it."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from security.models import Approval


def persons_field() -> "ArrayField[Any, Any]":
    """The identities of who asked or who approved, as `Approval` has them."""
    return ArrayField(models.CharField(max_length=300), default=list, blank=True, editable=False)


class TwoPersons(models.Model):
    """The approval by which a row has its terms, with the identities of both persons."""

    approval = models.OneToOneField(Approval, models.PROTECT, related_name="+")
    asked_persons = persons_field()
    approved_persons = persons_field()

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=~Q(approved_persons__len=0)
                & ~Q(approved_persons__overlap=F("asked_persons")),
                name="%(class)s_is_approved_by_a_second_person",
            )
        ]
