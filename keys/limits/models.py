"""Limits, their windows and grants: where budget is committed and usage adds up."""

from decimal import Decimal

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Concat

from common import row_triggers
from common.money_fields import created_at_field, quantity
from keys.identity.models.agents import Agent, CostCentre
from keys.limits import periods
from keys.supply.models import ApiKey
from security.models import Approval


class Unit(models.TextChoices):
    """What a limit counts."""

    TOKENS = "tokens"
    USD = "usd", "USD"


class Period(models.TextChoices):
    """How long one window of a limit lasts. Weeks, quarters and years are the organisation's."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter", "Fiscal quarter"
    YEAR = "year", "Fiscal year"
    TOTAL = "total"


def _scope_of(prefix: str, column: str) -> models.When:
    return models.When(
        **{f"{column}__isnull": False},
        then=Concat(Value(prefix), F(column), output_field=models.TextField()),
    )


def _each_in(column: str, kind: str, least: int, most: int) -> Q:
    """The condition that each number of the list is in this range; also if there is no list."""
    return Q(
        models.Func(
            models.F(column),
            template=f"coalesce({least}::{kind} <= ALL(%(expressions)s)"
            f" AND {most}::{kind} >= ALL(%(expressions)s), true)",
            output_field=models.BooleanField(),
        )
    )


class Limit(models.Model):
    """An amount of tokens or USD per period or in total, of an API key, agent or cost centre.

    `scope` is the address of what is limited (`key:…`, `agent:…`, `centre:…`), by which windows and
    allocations find each other. Periods begin at `reset_hour` in `zone`, hours on the hour.
    """

    api_key = models.ForeignKey(
        ApiKey, models.PROTECT, null=True, blank=True, related_name="limits"
    )
    agent = models.ForeignKey(Agent, models.PROTECT, null=True, blank=True, related_name="limits")
    cost_centre = models.ForeignKey(
        CostCentre, models.PROTECT, null=True, blank=True, related_name="limits"
    )
    scope = models.TextField(editable=False)
    unit = models.CharField(max_length=6, choices=Unit, help_text="What the limit counts.")
    period = models.CharField(
        max_length=7, choices=Period, help_text="How long the limit counts before it resets."
    )
    amount = quantity(help_text="The most that can be used and committed in one period.")
    zone = models.CharField(
        max_length=64,
        default="UTC",
        help_text="The IANA time zone of the reset, such as Europe/Berlin.",
    )
    reset_hour = models.PositiveSmallIntegerField(
        default=0,
        help_text="The hour of the day, from 0 to 23, at which the limit resets; 0 for a limit "
        "per hour, which resets on the hour.",
    )
    # null, not []: no list of its own is not the same as an empty one.
    threshold_percents = ArrayField(
        models.PositiveSmallIntegerField(),
        null=True,
        blank=True,
        help_text="Percentages of the amount at which an alert is raised. Empty: the percentages "
        "of the organisation.",
    )
    threshold_amounts = ArrayField(
        quantity(),
        default=list,
        db_default=[],
        blank=True,
        help_text="Amounts of usage, in the unit of the limit, at which an alert is raised.",
    )
    carry_over_max = quantity(
        null=True,
        blank=True,
        help_text="The most that one period leaves to the next, in the unit of the limit. Empty: "
        "each period begins with the amount alone.",
    )
    removed_at = models.DateTimeField(null=True, blank=True)
    created_at = created_at_field()

    class Meta:
        ordering = ["scope", "unit", "period"]
        constraints = [
            models.CheckConstraint(
                condition=Q(carry_over_max__isnull=True)
                | Q(carry_over_max__gt=0) & ~Q(period="total"),
                name="limit_carry_over_is_of_a_period_that_ends",
            ),
            models.CheckConstraint(
                condition=_each_in("threshold_percents", "smallint", 1, 1000)
                & _each_in("threshold_amounts", "numeric", 0, 10**14),
                name="limit_thresholds_are_in_range",
            ),
            models.CheckConstraint(
                condition=Q(api_key__isnull=False, agent__isnull=True, cost_centre__isnull=True)
                | Q(api_key__isnull=True, agent__isnull=False, cost_centre__isnull=True)
                | Q(api_key__isnull=True, agent__isnull=True, cost_centre__isnull=False),
                name="limit_has_exactly_one_subject",
            ),
            models.CheckConstraint(
                condition=Q(
                    scope=models.Case(
                        _scope_of("key:", "api_key"),
                        _scope_of("agent:", "agent"),
                        _scope_of("centre:", "cost_centre"),
                    )
                ),
                name="limit_scope_is_its_subject",
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="limit_is_not_negative"),
            models.CheckConstraint(
                condition=Q(reset_hour__lte=23), name="limit_reset_hour_is_of_the_day"
            ),
            models.CheckConstraint(
                condition=~Q(period="hour") | Q(reset_hour=0),
                name="limit_per_hour_resets_on_the_hour",
            ),
            models.UniqueConstraint(
                fields=["scope", "unit", "period"],
                condition=Q(removed_at__isnull=True),
                name="limit_once_per_scope_unit_period",
            ),
        ]
        triggers = [
            row_triggers.write_once(
                "limit_keeps_its_subject", "api_key", "agent", "cost_centre", "unit", "period"
            )
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.unit} per {self.period}"

    @property
    def period_phrase(self) -> str:
        """`a day`, `in total`."""
        return periods.phrase(self.period)


class Window(models.Model):
    """One period `[starts_at, ends_at)` of a limit, in UTC: the amounts used and committed in it.

    open ──the period ended, or the limit was removed──▶ closed (`closed_at`)

    A limit in force has exactly one open window. When it closes, what open allocations still have
    moves to the next one, and `used` stays as the record. `amount` is that of the limit then and
    what was `carried` over from the window before, which is counted once, when the window opens: a
    charge that is adjusted later changes `used` of its own window only.
    """

    limit = models.ForeignKey(Limit, models.PROTECT, related_name="windows")
    scope = models.TextField()
    unit = models.CharField(max_length=6, choices=Unit)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    amount = quantity()
    used = quantity(default=0)
    committed = quantity(default=0)
    carried = quantity(
        default=0,
        db_default=0,
        help_text="The part of the amount that was carried over from the period before.",
    )
    next_threshold = quantity(
        null=True,
        help_text="The usage at which the next soft threshold of the budget is reached; empty "
        "if there is none.",
    )
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-starts_at", "scope"]
        constraints = [
            models.UniqueConstraint(
                fields=["limit"],
                condition=Q(closed_at__isnull=True),
                name="window_one_open_per_limit",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="window_has_length"
            ),
            models.CheckConstraint(
                condition=Q(used__gte=0, committed__gte=0), name="window_is_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(committed=0),
                name="window_closed_has_nothing_committed",
            ),
            models.CheckConstraint(
                condition=Q(carried__gte=0, carried__lte=F("amount")),
                name="window_carried_is_part_of_its_amount",
            ),
        ]
        indexes = [
            # For every commit and settlement: the open windows of a scope.
            models.Index(
                fields=["scope"], condition=Q(closed_at__isnull=True), name="window_open_by_scope"
            ),
            # For keys.jobs.open_windows.
            models.Index(
                fields=["ends_at"], condition=Q(closed_at__isnull=True), name="window_open_by_end"
            ),
        ]
        triggers = [
            row_triggers.write_once("window_keeps_what_was_carried", "carried"),
            pgtrigger.Trigger(
                name="window_commit_fits",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                # An adjustment can move usage back to what is committed: their sum stays.
                condition=pgtrigger.Condition(
                    "NEW.committed > OLD.committed AND NEW.used + NEW.committed > NEW.amount"
                    " AND NEW.used + NEW.committed > OLD.used + OLD.committed"
                ),
                # A statement that commits adds the grants of its moment, under its own clock. What
                # the window can never allow is refused here.
                declare=[("granted", "numeric")],
                func="""
                    SELECT coalesce(sum(amount), 0) INTO granted FROM keys_grant
                     WHERE limit_id = NEW.limit_id
                       AND starts_at < NEW.ends_at AND ends_at > NEW.starts_at;
                    IF NEW.used + NEW.committed > NEW.amount + granted THEN
                        RAISE EXCEPTION 'window_commit_fits: window % has no room', NEW.id
                              USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.unit} {self.starts_at:%Y-%m-%d %H:%M}"

    @property
    def free(self) -> Decimal:
        """The amount that can still be committed; below zero if the limit was lowered."""
        free: Decimal = self.amount - self.used - self.committed
        return free


class Grant(models.Model):
    """What a limit of an agent or a cost centre allows in addition, for a while.

    It runs in `[starts_at, ends_at)`: every statement that commits adds the grants of its own
    moment, so no job has to end one. In each period of the limit that it touches, it allows its
    whole amount. After its end nothing new is committed above the limit, and what was lent stays
    lent, as when a limit is lowered. Its end can only be made earlier.
    """

    limit = models.ForeignKey(Limit, models.PROTECT, related_name="grants")
    amount = quantity(help_text="What the limit allows in addition, in its unit.")
    starts_at = models.DateTimeField(help_text="The moment from which the grant counts.")
    ends_at = models.DateTimeField(help_text="The moment from which the grant no longer counts.")
    approval = models.OneToOneField(
        Approval,
        models.PROTECT,
        related_name="grant",
        help_text="The approval of the budget request.",
    )
    end_recorded_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="When the audit recorded that the grant has ended; empty before that.",
    )

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("decide_budget_request", "Can decide budget requests of agents"),
            ("request_budget", "Can ask for more budget"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="grant_is_positive"),
            models.CheckConstraint(
                condition=Q(ends_at__gte=F("starts_at")), name="grant_ends_after_its_start"
            ),
        ]
        indexes = [
            # For every commit: the grants of a limit that run.
            models.Index(fields=["limit", "ends_at"], name="grant_by_limit_and_end"),
            # For keys.jobs.record_ended_grants.
            models.Index(
                fields=["ends_at"],
                condition=Q(end_recorded_at=None),
                name="grant_end_not_recorded",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="grant_only_ends_earlier",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition("NEW.ends_at > OLD.ends_at"),
            ),
            pgtrigger.Protect(name="grant_is_kept", operation=pgtrigger.Delete),
            row_triggers.write_once(
                "grant_keeps_its_terms", "limit", "amount", "starts_at", "approval"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.limit} until {self.ends_at:%Y-%m-%d %H:%M}"
