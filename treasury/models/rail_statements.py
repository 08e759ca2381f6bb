"""Statements of rails and banks, kept as they came, their lines, and what they are matched with."""

import pgtrigger
from django.db import models
from django.db.models import F, Q

from common import row_triggers
from treasury.models.accounts import Account
from treasury.models.amounts import amount_field
from treasury.models.transfers import Transfer

# Two files of the same days would bring each line twice.
_DAYS_ARE_FREE = pgtrigger.Trigger(
    name="railstatement_days_are_free",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func="""
        IF EXISTS (SELECT FROM treasury_railstatement s WHERE s.account_id = NEW.account_id
                   AND s.since <= NEW.until AND s.until >= NEW.since) THEN
            RAISE check_violation USING CONSTRAINT = 'railstatement_days_are_free',
                MESSAGE = 'railstatement_days_are_free: another statement has some of these days';
        END IF;
        RETURN NEW;
    """,
)
_OF_THE_ACCOUNT = pgtrigger.Trigger(
    name="railmatch_is_of_the_account",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func="""
        IF NOT EXISTS (
            SELECT FROM treasury_railstatementline l
              JOIN treasury_railstatement s ON s.id = l.statement_id
              JOIN treasury_transfer t ON s.account_id IN (t.debit_id, t.credit_id)
             WHERE l.id = NEW.line_id AND t.id = NEW.transfer_id
               AND t.phase IN ('single', 'post')) THEN
            RAISE check_violation USING CONSTRAINT = 'railmatch_is_of_the_account',
                MESSAGE = 'railmatch_is_of_the_account: the transfer is of another account';
        END IF;
        RETURN NEW;
    """,
)


class RailStatement(models.Model):
    """A statement of the account with a rail or bank: the bytes as they came, and its balances.

    `opening` before all of its lines, `closing` after them. The same bytes are imported once, and
    no two statements of an account have the same days.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="rail_statements")
    format = models.CharField(max_length=20, help_text="How the bytes are read.")
    columns = models.JSONField(
        default=dict, help_text="Of a CSV file: the heading of each field that has another name."
    )
    their_account = models.CharField(
        max_length=100, blank=True, help_text="The number of the account in the file."
    )
    since = models.DateField(help_text="The first day that it has.")
    until = models.DateField(help_text="The last day that it has.")
    opening = amount_field(help_text="The balance before its lines.")
    closing = amount_field(help_text="The balance after its lines.")
    content = models.BinaryField(help_text="The bytes as they came.")
    digest = models.BinaryField(max_length=32, help_text="The SHA-256 of the bytes.")
    line_count = models.PositiveIntegerField(help_text="How many lines were read.")
    file_name = models.CharField(max_length=200, blank=True, help_text="The name of the file.")
    imported_by = models.CharField(max_length=200, help_text="Who imported it.")
    imported_at = models.DateTimeField()

    class Meta:
        ordering = ["-until", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "digest"], name="railstatement_is_imported_once"
            ),
            models.CheckConstraint(
                condition=Q(until__gte=F("since")), name="railstatement_ends_after_it_begins"
            ),
        ]
        triggers = [
            _DAYS_ARE_FREE,
            row_triggers.append_only("railstatement_is_append_only"),
            row_triggers.not_truncated("railstatement_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"statement {self.pk} of {self.account_id}"


class RailStatementLine(models.Model):
    """A line of a statement; see `treasury.rail_statements.movements.Movement`."""

    statement = models.ForeignKey(RailStatement, models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField()
    day = models.DateField()
    amount = amount_field()
    kind = models.CharField(max_length=10)
    reference = models.CharField(max_length=200, blank=True)
    their_reference = models.CharField(max_length=200, blank=True)
    description = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["statement", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["statement", "position"], name="railstatementline_has_its_position"
            ),
        ]
        triggers = [
            row_triggers.append_only("railstatementline_is_append_only"),
            row_triggers.not_truncated("railstatementline_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"line {self.position} of statement {self.statement_id}"


class RailMatch(models.Model):
    """A line and a transfer that it is about: both sides have it. It is never taken back, as
    neither side changes. A line may have several transfers, and a transfer has one line."""

    line = models.ForeignKey(RailStatementLine, models.PROTECT, related_name="matches")
    transfer = models.OneToOneField(Transfer, models.PROTECT, related_name="rail_match")
    rule = models.CharField(max_length=10, help_text="By what it was found.")
    matched_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        triggers = [
            _OF_THE_ACCOUNT,
            row_triggers.append_only("railmatch_is_append_only"),
            row_triggers.not_truncated("railmatch_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"line {self.line_id} is transfer {self.transfer_id}"
