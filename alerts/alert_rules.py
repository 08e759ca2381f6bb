"""The kinds of rules of this app."""

from collections.abc import Iterator
from datetime import timedelta

from alerts.alert_kinds import DELIVERIES_FAILED
from alerts.queries import failed_deliveries
from alerts.rules import Finding, RuleKind, Watch, register

_HOURS = 24


def _find(watch: Watch) -> Iterator[Finding]:
    since = watch.now - timedelta(hours=_HOURS)
    for channel in failed_deliveries(since=since, least=int(watch.figure)):
        yield Finding(
            key=f"channel:{channel.pk}",
            title=f"{channel.failed:,} deliveries to {channel.name} failed in {_HOURS} hours",
            detail=f"The last reason: {channel.last_reason or 'none was recorded'}.",
            facts={"channel_id": str(channel.pk), "failed": channel.failed},
        )


register(
    RuleKind(
        slug="failed_deliveries",
        title="Failed deliveries of a channel",
        about=f"So many notifications of one channel failed or were given up in the last {_HOURS} "
        "hours. It is over when they are older than that, or were delivered.",
        figure="Failed deliveries",
        least=1,
        most=1_000_000,
        default=5,
        alert_kind=DELIVERIES_FAILED,
        find=_find,
        has_cost_centre=False,
    )
)
