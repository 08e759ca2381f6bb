"""The bar of a task's sub-tasks in templates: `{% load parts %}`."""

from decimal import Decimal

from django import template

from common import figures
from orchestration.queries.pages import Parts

register = template.Library()


@register.simple_tag
def percents(parts: Parts) -> dict[str, Decimal]:
    """How wide each piece of the bar is: `failed` with what was cancelled, `ended` is where the
    running piece begins."""
    succeeded = figures.percent(parts.succeeded, parts.total)
    failed = figures.percent(parts.failed + parts.cancelled, parts.total)
    running = figures.percent(parts.running, parts.total)
    return {
        "succeeded": succeeded,
        "failed": failed,
        "ended": succeeded + failed,
        "running": running,
    }
