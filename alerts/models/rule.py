"""Rules: what people want to be told of, and what each has found."""

from typing import Self

from django.db import models
from django.db.models import Q

from alerts.models.alert import Alert


class AlertRuleQuerySet(models.QuerySet["AlertRule"]):
    """Filters on rules."""

    def enabled(self) -> Self:
        """Rules that are not switched off."""
        return self.filter(disabled_at=None)

    def locked(self) -> Self:
        """Lock the rows until commit; incidents of them can still be inserted."""
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)


class AlertRule(models.Model):
    """Something to watch: of a kind (`alerts.rules`), from a figure on, in a cost centre.

    A blank `cost_centre` is the whole organisation. When an incident is over, the same is not told
    again for `cool_off_minutes`.
    """

    kind = models.CharField(max_length=40, help_text="What the rule watches.")
    name = models.CharField(max_length=100, unique=True, help_text="The name of the rule.")
    figure = models.DecimalField(
        max_digits=12, decimal_places=2, help_text="From which figure on an alert is raised."
    )
    cost_centre = models.CharField(
        max_length=255,
        blank=True,
        default="",
        help_text="The cost centre that the rule watches, with those below it.",
    )
    cool_off_minutes = models.PositiveIntegerField(
        default=60,
        help_text="For so many minutes after an incident, the same is not told again.",
    )
    created_at = models.DateTimeField(editable=False)
    evaluated_at = models.DateTimeField(null=True, blank=True, editable=False)
    disabled_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = AlertRuleQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = [
            models.CheckConstraint(condition=Q(figure__gte=0), name="alertrule_figure_is_positive"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        """The name of the rule in the audit."""
        return f"alert_rule:{self.pk}"


class RuleIncident(models.Model):
    """Something that a rule has found: one alert, however often it is found again.

    open ──the rule no longer finds it, or is switched off──▶ ended (`ended_at`), alert resolved

    A person can resolve the alert before: it is not raised again while the incident is open.
    """

    rule = models.ForeignKey(AlertRule, models.CASCADE, related_name="incidents")
    key = models.CharField(max_length=200, help_text="What the incident is about, in the rule.")
    alert = models.ForeignKey(Alert, models.CASCADE, related_name="+")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-began_at", "-pk")
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "key"],
                condition=Q(ended_at=None),
                name="ruleincident_one_open_per_key",
            ),
        ]
        indexes = [
            # For the cool-off: the last end of each.
            models.Index(fields=["rule", "-ended_at"], name="ruleincident_by_end"),
        ]

    def __str__(self) -> str:
        return f"incident {self.pk} of rule {self.rule_id}"
