"""Figures, bars and moments in templates: `{% load figures %}`."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template

from common import formatting
from common.admin import widgets

register = template.Library()
register.filter("grouped", formatting.group_digits)
register.filter("short", formatting.short)
register.filter("dollars", formatting.dollars)
register.filter("moment", widgets.moment)


@register.filter
def amount(number: Decimal | int, unit: str) -> str:
    """`{{ meter.used|amount:meter.unit }}`: tokens or dollars."""
    return formatting.quantity(number, unit=unit)


@register.filter
def until(at: datetime, now: datetime) -> str:
    """`{{ allocation.expires_at|until:now }}`: how long from `now`."""
    return formatting.duration(at - now)


@register.filter
def since(at: datetime, now: datetime) -> str:
    """`{{ entry.at|since:now }}`: how long before `now`."""
    return formatting.duration(now - at)


@register.simple_tag
def reset(meter: Any, now: datetime) -> str:
    """When a meter's next window starts, in its zone and from now."""
    return formatting.reset(meter.resets_at, zone=meter.zone, now=now)


@register.simple_tag
def bar(
    used: Decimal | int, committed: Decimal | int, whole: Decimal | int, unit: str = "tokens"
) -> str:
    """Used and committed of a whole, as a bar with a label for people who cannot see it."""
    return widgets.bar(used=used, committed=committed, amount=whole, unit=unit)
