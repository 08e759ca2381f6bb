"""What could have been saved, and what people said about it."""

from django.db import models
from django.db.models import F, Q

from common.money_fields import usd


class SavingKind(models.TextChoices):
    """The kinds of savings."""

    CHEAPER = "cheaper", "cheaper key or model"
    RETRIES = "retries", "failed attempts"
    CACHING = "caching", "caching"
    IDLE_KEY = "idle_key", "idle key"
    OVERSIZE = "oversize", "oversize budgets"


# Money that lies there and is not spent: nothing is saved, but it could be used elsewhere.
IDLE_MONEY = (SavingKind.IDLE_KEY, SavingKind.OVERSIZE)


class Saving(models.Model):
    """A proposal to spend less: one row for what it is about, however often it is found.

    open ──a person follows it──▶ done ──it is found again, a month later──▶ open
      ├──a person says "do not tell again"──▶ dismissed ──"tell again"──▶ open
      └──it is not found any more──▶ gone ──it is found again──▶ open

    `subject` is an agent or an API key, such as `agent:ada`; `cost_centre` that of the agent, blank
    for a key. `detail` tells proposals about one subject apart. `amount` is that of the last 30
    days (USD), between `amount_low` and `amount_high`; of IDLE_MONEY, what lies there. `spent` is
    what was spent on the work that it is about, by portion (`prediction.savings.portions`).
    `evidence` are figures, `words` says them. `advice` is what the figures allow. `closed_at`,
    `closed_by` and `reason` are of what ended it.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        DONE = "done"
        DISMISSED = "dismissed"
        GONE = "gone"

    class Advice(models.TextChoices):
        SWITCH = "switch", "change it"
        EXPERIMENT = "experiment", "try it out"
        ADOPT = "adopt", "use what did better"
        PAUSE = "pause", "pause it"
        LOOK = "look", "look into it"

    kind = models.CharField(max_length=8, choices=SavingKind)
    subject = models.CharField(max_length=300)
    detail = models.CharField(max_length=600, blank=True)
    cost_centre = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=9, choices=Status, default=Status.OPEN)
    advice = models.CharField(max_length=10, choices=Advice)
    words = models.TextField()
    evidence = models.JSONField(default=dict)
    spent = models.JSONField(default=dict)
    amount = usd()
    amount_low = usd()
    amount_high = usd()
    found_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=255, blank=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-amount", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject", "detail"], name="saving_once_per_kind_and_subject"
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=F("amount_low"), amount__lte=F("amount_high")),
                name="saving_amount_is_within_its_interval",
            ),
            models.CheckConstraint(
                condition=Q(status="open", closed_at=None)
                | ~Q(status="open") & Q(closed_at__isnull=False),
                name="saving_is_open_or_closed",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=("dismissed", "done")) | ~Q(reason=""),
                name="saving_says_why_it_was_closed",
            ),
        ]
        indexes = [models.Index(fields=["status", "-amount"], name="saving_by_status_and_amount")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for {self.subject}"
