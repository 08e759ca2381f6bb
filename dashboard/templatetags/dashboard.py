"""Figures, tables, charts and icons in templates: `{% load dashboard %}`."""

from calendar import month_name
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.template import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common import links
from dashboard import figures, organisation, rail
from dashboard.books_checks import outcome
from dashboard.budget_links import scope_url
from dashboard.changed_url import changed_url
from dashboard.charts import Chart
from dashboard.person_role import role_of
from dashboard.ranges import PRESETS, DateRange
from dashboard.table_context import table_context
from dashboard.tables import Table
from dashboard.theme import THEMES, theme_after, theme_of
from keys.models import BooksCheck

register = template.Library()
_ICONS = "vendor/icons.svg"


@register.simple_tag(takes_context=True)
def money(context: Context, amount: Decimal | int | None) -> SafeString | str:
    """`{% money spend.cost %}`: `$4,812.30`, exact to nine places on hover and focus, and there in
    the currency that the organisation shows, too."""
    if amount is None:
        return figures.NOTHING
    request = context.get("request")
    shown = organisation.organisation_of(request) if request else None
    return _figure(figures.money(amount, shown=shown), amount)


@register.simple_tag
def about(amount: Decimal) -> SafeString:
    """`{% about landing.cost %}`: `$4,812`, an amount that is expected."""
    return _figure(figures.about(amount), amount)


@register.simple_tag
def tokens(number: Decimal | int | None) -> SafeString | str:
    """`{% tokens spend.tokens %}`: `1.23M`, exact on hover and focus."""
    return figures.NOTHING if number is None else _figure(figures.tokens(number), number)


@register.simple_tag(takes_context=True)
def amount(context: Context, number: Decimal | None, unit: str) -> SafeString | str:
    """`{% amount meter.used meter.unit %}`: tokens or money, as the unit of a limit says."""
    return money(context, number) if unit == "usd" else tokens(number)


@register.simple_tag
def url_of_scope(scope: str) -> str:
    """`{% url_of_scope "centre:research" %}`: the page of what the address names."""
    return scope_url(scope) or ""


@register.simple_tag
def percent(number: Decimal | int | None) -> SafeString | str:
    """`{% percent share %}`: `12.3%` of a number that is in percent already."""
    return figures.NOTHING if number is None else _figure(figures.percent(number), number)


@register.simple_tag(takes_context=True)
def moment(context: Context, at: datetime | None) -> SafeString | str:
    """`{% moment charge.settled_at %}`: in the reporting zone."""
    if at is None:
        return figures.NOTHING
    figure = figures.moment(at, zone=organisation.zone(context["request"]))
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', at.isoformat(), figure.exact, figure.text
    )


@register.simple_tag
def icon(name: str) -> SafeString:
    """`{% icon "bell" %}`: an icon of the sprite; words beside it say what it means."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>', static(_ICONS), name
    )


@register.inclusion_tag("dashboard/table.html", takes_context=True)
def table(context: Context, table: Table) -> dict[str, Any]:
    """`{% table t %}`: the table with its sums, count, next page and exports."""
    request = context["request"]
    return table_context(table, request, organisation.zone(request))


@register.inclusion_tag("dashboard/live.html", takes_context=True)
def live(context: Context, page: str, own_view: bool = False, row: object = None) -> dict[str, Any]:
    """`{% live "spend" own_view=is_filtered %}`: whether the page is live, and its stream.

    `row`: the key of the row that the page is of.
    """
    request, now = context["request"], timezone.now()
    zone = organisation.zone(request)
    which = {"page": page} if row is None else {"page": page, "row": row}
    return {
        "url": links.url("live", **which) + ("&own_view" if own_view else ""),
        "page_url": request.get_full_path(),
        "zone": zone.key,
        "now": now.isoformat(),
        "clock": f"{now.astimezone(zone):%H:%M:%S}",
    }


@register.inclusion_tag("dashboard/chart.html", takes_context=True)
def chart(context: Context, chart: Chart) -> dict[str, Any]:
    """`{% chart c %}`: the chart with its legend and the table behind it."""
    return {"chart": chart, "request": context["request"]}


@register.inclusion_tag("dashboard/range_picker.html", takes_context=True)
def range_picker(context: Context, days: DateRange) -> dict[str, Any]:
    """`{% range_picker days %}`: in the top bar of a page that shows a range of days."""
    request = context["request"]
    own = ("range", "month", "from", "to")
    return {
        "days": days,
        "title": PRESETS.get(days.preset, ""),
        "presets": [
            (title, changed_url(request, {"range": preset}, without=own), preset == days.preset)
            for preset, title in PRESETS.items()
        ],
        "kept": [
            (name, value)
            for name, values in request.GET.lists()
            for value in values
            if name not in own and not name.endswith("after")
        ],
    }


@register.inclusion_tag("dashboard/rail.html", takes_context=True)
def navigation(context: Context) -> dict[str, Any]:
    """`{% navigation %}`: the rail of the frame."""
    request = context["request"]
    return {"main": rail.lines(request, rail.MAIN), "small": rail.lines(request, rail.SMALL)}


@register.simple_tag(takes_context=True)
def theme(context: Context) -> str:
    """`{% theme %}`: the theme of the page; `system` on a page that is made without a request."""
    return theme_of(context["request"]) if "request" in context else "system"


@register.inclusion_tag("dashboard/theme_switch.html", takes_context=True)
def theme_switch(context: Context) -> dict[str, Any]:
    """`{% theme_switch %}`: a button that leads to the next theme."""
    request = context["request"]
    now = theme_of(request)
    return {
        "request": request,
        "csrf_token": context.get("csrf_token"),
        "icon": THEMES[now],
        "now": now,
        "after": theme_after(now),
    }


@register.simple_tag(takes_context=True)
def organisation_name(context: Context) -> str:
    """`{% organisation_name %}`: in the top bar."""
    return organisation.name(context["request"])


@register.simple_tag(takes_context=True)
def person_role(context: Context) -> str:
    """`{% person_role %}`: beside the name in the top bar."""
    return role_of(context["request"].user)


@register.inclusion_tag("dashboard/foot.html", takes_context=True)
def foot(context: Context) -> dict[str, Any]:
    """`{% foot %}`: in which zone times are, when the fiscal year starts, and what the last books
    check found."""
    request, check = context["request"], BooksCheck.objects.first()
    zone = organisation.zone(request)
    return {
        "zone": zone.key,
        "books": outcome(check, zone=zone, now=timezone.now()),
        "books_check": check if request.user.has_perm("keys.view_bookscheck") else None,
        "fiscal_month": month_name[organisation.fiscal_year_starts(request)],
    }


def _figure(figure: figures.Figure, value: Decimal | int) -> SafeString:
    return format_html(
        '<data class="figure" value="{}" data-exact="{}" tabindex="0">{}</data>',
        f"{Decimal(value):f}",
        figure.exact,
        figure.text,
    )
