"""Figures, bars and moments in templates: `{% load figures %}`."""

from datetime import datetime
from typing import Any

from django import template

from common import formatting as words

register = template.Library()
register.filter("grouped", words.grouped)
register.filter("short", words.short)
register.filter("dollars", words.dollars)


@register.filter
def amount(number, unit: str) -> str:
    """`{{ meter.used|amount:meter.unit }}`: tokens or dollars."""
    return words.quantity(number, unit=unit)


@register.filter
def until(at: datetime, now: datetime) -> str:
    """`{{ allocation.expires_at|until:now }}`: how long from `now`."""
    return words.duration(at - now)


@register.filter
def since(at: datetime, now: datetime) -> str:
    """`{{ entry.at|since:now }}`: how long before `now`."""
    return words.duration(now - at)


@register.simple_tag
def reset(meter, now: datetime) -> str:
    """When a meter begins anew, in its zone and from now."""
    return words.reset(meter.resets_at, zone=meter.zone, now=now)


@register.inclusion_tag("keys/bar.html")
def bar(used, committed, whole, unit: str = "tokens") -> dict[str, Any]:
    """Used and committed of a whole, as a bar with words for who cannot see it."""
    return {
        "used_percent": words.percent(used, whole),
        "committed_percent": words.percent(committed, whole),
        "used": words.quantity(used, unit=unit),
        "committed": words.quantity(committed, unit=unit),
        "amount": words.quantity(whole, unit=unit),
    }
