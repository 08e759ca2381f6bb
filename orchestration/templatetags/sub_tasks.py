"""The bar of a task's sub-tasks in templates: `{% load parts %}`."""

from decimal import Decimal

from django import template

from common import formatting
from orchestration.queries.pages import Parts

register = template.Library()


@register.simple_tag
def percents(parts: Parts) -> dict[str, Decimal]:
    """How wide each piece of the bar is: `failed` with what was cancelled, `ended` is where the
    running piece begins."""
    succeeded = formatting.percent(parts.succeeded, parts.total)
    failed = formatting.percent(parts.failed + parts.cancelled, parts.total)
    running = formatting.percent(parts.running, parts.total)
    return {
        "succeeded": succeeded,
        "failed": failed,
        "ended": succeeded + failed,
        "running": running,
    }
