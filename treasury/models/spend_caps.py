"""Limits of spending at providers: a second fence behind the books."""

import uuid

import pgtrigger
from django.db import models
from django.db.models import F, Q

from common import row_triggers
from security.fields import SealedField
from security.models import Approval
from treasury.models.accounts import Account
from treasury.models.amounts import amount_field
from treasury.models.two_persons import persons_field


class SpendCap(models.Model):
    """The limit of a month that a provider keeps itself, and how it is read and set.

    `wanted` is what two persons have set, NULL if they have set none: then the provider's limit is
    only read. `told` is what the provider said last.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    credit_account = models.OneToOneField(
        Account, models.PROTECT, related_name="spend_cap", help_text="The provider's credit."
    )
    format = models.CharField(max_length=40, help_text="How the provider's answer is read.")
    base_url = models.URLField(help_text="Where the provider is asked.")
    sealed = SealedField(bound_to="id")
    wanted = amount_field(null=True, help_text="The limit of a month that two persons have set.")
    approval = models.OneToOneField(Approval, models.PROTECT, null=True, related_name="+")
    asked_persons = persons_field()
    approved_persons = persons_field()
    told = amount_field(null=True, help_text="The limit of a month by the provider.")
    is_enforced = models.BooleanField(default=False, help_text="Whether the provider enforces it.")
    told_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)
    set_by = models.CharField(max_length=200, help_text="Who entered the secret.")
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(wanted=None)
                | Q(wanted__gt=0, approval__isnull=False)
                & ~Q(approved_persons__len=0)
                & ~Q(approved_persons__overlap=F("asked_persons")),
                name="spendcap_is_approved_by_a_second_person",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="spendcap_changes_by_approval",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.wanted IS DISTINCT FROM NEW.wanted"
                    " AND OLD.approval_id IS NOT DISTINCT FROM NEW.approval_id"
                ),
            ),
            row_triggers.write_once("spendcap_keeps_its_credit", "credit_account"),
            row_triggers.not_truncated("spendcap_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"limit of {self.credit_account_id}"
