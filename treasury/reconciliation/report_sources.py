"""Where providers give reports of usage and cost by their API, to an admin key."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType

from treasury.reconciliation.reports.openrouter import pack_generation

Query = Sequence[tuple[str, str]]
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class SourceReport:
    """A report: the format that reads it, its path, and the query for the days from `since` to
    `until`. `days_max`: of one request. `page_parameter`: takes the `next_page` of the answer
    before; empty if there is one page. `fallback`: where the provider does not have this one."""

    format: str
    path: str
    query: Callable[[date, date], Query]
    headers: Mapping[str, str] = field(default_factory=dict)
    days_max: int = 31
    page_parameter: str = "page"
    fallback: "SourceReport | None" = None


@dataclass(frozen=True, kw_only=True)
class SourceCalls:
    """Where a provider tells a single call: the path, and the parameter that takes its id. `pack`
    makes of an answer what the format reads: the day, the id, the status and the bytes."""

    format: str
    path: str
    parameter: str
    pack: Callable[[date, str, int, bytes], bytes]


@dataclass(frozen=True, kw_only=True)
class ReportSource:
    """A provider that gives reports. `days_kept`: it tells no older days; None: it tells all.
    `calls`: None if it tells no single calls."""

    slug: str
    name: str
    base_url: str
    headers: Callable[[str], dict[str, str]]
    reports: tuple[SourceReport, ...]
    days_kept: int | None = None
    calls: SourceCalls | None = None


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _anthropic_headers(secret: str) -> dict[str, str]:
    return {"x-api-key": secret, "anthropic-version": "2023-06-01"}


def _openai(*groups: str) -> Callable[[date, date], Query]:
    def query(since: date, until: date) -> Query:
        return [
            ("start_time", _seconds(since)),
            ("end_time", _seconds(until + _DAY)),
            ("bucket_width", "1d"),
            ("limit", str((until - since).days + 1)),
            *(("group_by", group) for group in groups),
        ]

    return query


def _seconds(day: date) -> str:
    return str(int(datetime.combine(day, time(), UTC).timestamp()))


def _anthropic(*groups: str) -> Callable[[date, date], Query]:
    def query(since: date, until: date) -> Query:
        return [
            ("starting_at", f"{since}T00:00:00Z"),
            ("ending_at", f"{until + _DAY}T00:00:00Z"),
            ("bucket_width", "1d"),
            ("limit", str((until - since).days + 1)),
            *(("group_by[]", group) for group in groups),
        ]

    return query


def _anthropic_analytics(since: date, until: date) -> Query:
    return [
        ("starting_at", f"{since}T00:00:00Z"),
        ("ending_at", f"{until + _DAY}T00:00:00Z"),
        ("time_bucket_width", "1d"),
        ("limit", "1000"),
        ("group_by[]", "api_key_id"),
        ("group_by[]", "model"),
    ]


_ALL = (
    ReportSource(
        slug="openai",
        name="OpenAI, with an admin key (sk-admin-…)",
        base_url="https://api.openai.com/v1",
        headers=_bearer,
        reports=(
            SourceReport(
                format="openai_costs",
                path="/organization/costs",
                query=_openai("line_item", "api_key_id"),
            ),
            SourceReport(
                format="openai_usage",
                path="/organization/usage/completions",
                query=_openai("model", "api_key_id"),
            ),
        ),
    ),
    ReportSource(
        slug="anthropic",
        name="Anthropic, with an Admin key (sk-ant-admin…)",
        base_url="https://api.anthropic.com/v1",
        headers=_anthropic_headers,
        reports=(
            SourceReport(
                format="anthropic_cost",
                path="/organizations/analytics/cost",
                query=_anthropic_analytics,
                headers={"anthropic-beta": "analytics-usage-cost-2026-08-24"},
                # Without keys, and without the cost of priority tiers.
                fallback=SourceReport(
                    format="anthropic_cost",
                    path="/organizations/cost_report",
                    query=_anthropic("description"),
                ),
            ),
            SourceReport(
                format="anthropic_usage",
                path="/organizations/usage_report/messages",
                query=_anthropic("api_key_id", "model"),
            ),
        ),
    ),
    ReportSource(
        slug="openrouter",
        name="OpenRouter, with a management key",
        base_url="https://openrouter.ai/api/v1",
        headers=_bearer,
        reports=(
            SourceReport(
                format="openrouter_activity",
                path="/activity",
                query=lambda since, until: [("date", f"{since}")],
                days_max=1,
                page_parameter="",
            ),
        ),
        days_kept=30,
        calls=SourceCalls(
            format="openrouter_generation",
            path="/generation",
            parameter="id",
            pack=pack_generation,
        ),
    ),
)
REPORT_SOURCES: Mapping[str, ReportSource] = MappingProxyType({each.slug: each for each in _ALL})
