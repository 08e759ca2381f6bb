"""A month of usage in the columns of FOCUS, which tools for cloud costs read.

https://focus.finops.org/focus-specification/v1-2/: one row for each day of the reporting zone, API
key, agent, cost centre, model and label. Prices per unit are left out, as FOCUS allows: the calls
of a row may have had several.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import QuerySet

from keys.books.queries.usage_lines import UsageLine, usage_lines
from keys.models import Organisation
from reports.models import CloseLine, MonthClose
from reports.month_periods import midnight, next_month

VERSIONS = ("1.2", "1.3")
_TOKENS = "Tokens"
_TENTH = Decimal("0.1")
_DAY = timedelta(days=1)


class FocusRow(NamedTuple):
    """A row: the mandatory columns of FOCUS 1.2, those of the others that apply, and our own.

    Amounts are exact, moments are texts in UTC, "" is null.
    """

    BilledCost: Decimal
    BillingAccountId: str
    BillingAccountName: str
    BillingCurrency: str
    BillingPeriodStart: str
    BillingPeriodEnd: str
    ChargeCategory: str
    ChargeClass: str
    ChargeDescription: str
    ChargePeriodStart: str
    ChargePeriodEnd: str
    ContractedCost: Decimal
    EffectiveCost: Decimal
    InvoiceIssuerName: str
    ListCost: Decimal
    PricingQuantity: Decimal
    PricingUnit: str
    ProviderName: str
    PublisherName: str
    ServiceCategory: str
    ServiceName: str
    ChargeFrequency: str
    ConsumedQuantity: Decimal
    ConsumedUnit: str
    InvoiceId: str
    ResourceId: str
    ResourceName: str
    ResourceType: str
    ServiceSubcategory: str
    SkuId: str
    SkuMeter: str
    SubAccountId: str
    SubAccountName: str
    Tags: str
    x_AgentId: str
    x_Label: str
    x_InputTokens: int
    x_CachedTokens: int
    x_CacheWriteTokens: int
    x_OutputTokens: int
    x_ReasoningTokens: int
    x_Calls: int
    x_EstimatedCost: Decimal
    x_ProviderCost: Decimal


@dataclass(frozen=True)
class FocusMonth:
    """The month that begins on the day `first`, of the whole organisation or of the cost centres
    `within`, each with all below it."""

    organisation: Organisation
    first: date
    version: str = VERSIONS[0]
    within: Sequence[str] | None = None

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in their order."""
        added = ["ServiceProviderName", "HostProviderName"] if self.version == "1.3" else []
        return [*FocusRow._fields, *added]

    def rows(self) -> Iterator[Sequence[Any]]:
        """The rows, day by day, each of a query of its own: a month need not fit into memory."""
        for number in range((self._end - self.first).days):
            day = self.first + number * _DAY
            since, until = self._midnight(day), self._midnight(day + _DAY)
            for line in usage_lines(since, until, within=self.within):
                yield self._versioned(self._row(line, since, until), line)

    @property
    def _end(self) -> date:
        """The first day of the next month."""
        return next_month(self.first)

    @property
    def _period(self) -> tuple[datetime, datetime]:
        return self._midnight(self.first), self._midnight(self._end)

    def _midnight(self, day: date) -> datetime:
        return midnight(day, self.organisation.reporting_zone)

    def _versioned(self, row: FocusRow, line: UsageLine | CloseLine) -> Sequence[Any]:
        return [*row, line.provider, line.provider] if self.version == "1.3" else row

    def _row(self, line: UsageLine | CloseLine, since: datetime, until: datetime) -> FocusRow:
        starts_at, ends_at = self._period
        model = line.model_name if isinstance(line, CloseLine) else line.model
        return FocusRow(
            BilledCost=line.cost,
            BillingAccountId=f"organisation-{self.organisation.pk}",
            BillingAccountName=self.organisation.name,
            BillingCurrency="USD",
            BillingPeriodStart=_moment(starts_at),
            BillingPeriodEnd=_moment(ends_at),
            ChargeCategory="Usage",
            ChargeClass="",
            ChargeDescription=_description(model, line),
            ChargePeriodStart=_moment(since),
            ChargePeriodEnd=_moment(until),
            ContractedCost=line.cost,
            EffectiveCost=line.cost,
            InvoiceIssuerName=line.provider,
            ListCost=line.cost,
            PricingQuantity=_decimal(line.tokens),
            PricingUnit=_TOKENS,
            ProviderName=line.provider,
            PublisherName=line.provider,
            ServiceCategory="AI and Machine Learning",
            ServiceName=f"{line.provider} API",
            ChargeFrequency="Usage-Based",
            ConsumedQuantity=_decimal(line.tokens),
            ConsumedUnit=_TOKENS,
            InvoiceId="",
            ResourceId=line.api_key,
            ResourceName=line.api_key,
            ResourceType="API key",
            ServiceSubcategory="Generative AI",
            SkuId=model,
            SkuMeter=_TOKENS,
            SubAccountId=line.cost_centre,
            SubAccountName=line.cost_centre_name,
            Tags=_tags(line),
            x_AgentId=line.agent,
            x_Label=line.label,
            x_InputTokens=line.input_tokens,
            x_CachedTokens=line.cached_tokens,
            x_CacheWriteTokens=line.cache_write_tokens,
            x_OutputTokens=line.output_tokens,
            x_ReasoningTokens=line.reasoning_tokens,
            x_Calls=line.calls,
            x_EstimatedCost=line.estimated_cost,
            x_ProviderCost=line.provider_cost,
        )


@dataclass(frozen=True, kw_only=True)
class ClosedFocusMonth(FocusMonth):
    """A closed month: its frozen lines, and corrections of months that were closed before.

    `lines` are those of the close that the person may see.
    """

    close: MonthClose
    lines: QuerySet[CloseLine]

    def rows(self) -> Iterator[Sequence[Any]]:
        """The rows, day by day, usage before corrections."""
        days = self.lines.order_by("corrects__month", "day").values_list("corrects", "day")
        ordered = sorted(days.distinct(), key=lambda each: (each[0] or 0, each[1]))
        corrected = MonthClose.objects.in_bulk({corrects for corrects, _ in ordered if corrects})
        for corrects, day in ordered:
            of = corrected.get(corrects, self.close)
            since = max(midnight(day, of.zone), of.starts_at)
            until = min(midnight(day + _DAY, of.zone), of.ends_at)
            for line in self.lines.filter(corrects=corrects, day=day).order_by("pk"):
                row = self._row(line, since, until)
                if corrects is not None:
                    row = row._replace(ChargeClass="Correction")
                yield self._versioned(row, line)

    @property
    def _period(self) -> tuple[datetime, datetime]:
        return self.close.starts_at, self.close.ends_at


def _decimal(tokens: int) -> Decimal:
    """A quantity that readers which guess types take for a decimal number, as FOCUS wants it."""
    return Decimal(tokens).quantize(_TENTH)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _description(model: str, line: UsageLine | CloseLine) -> str:
    return f"{model} by {line.agent}" + (f" for {line.label}" if line.label else "")


def _tags(line: UsageLine | CloseLine) -> str:
    tags = {"agent": line.agent, "label": line.label}
    return json.dumps({name: value for name, value in tags.items() if value}, ensure_ascii=False)
