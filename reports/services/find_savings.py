"""Find what could have been saved in the last 30 days."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django_q.tasks import async_task

from gateway import services as gateway
from orchestration.queries.first_attempts import FirstAttempt, first_attempts
from orchestration.queries.repeated_attempts import repeated_attempts
from prediction import services as prediction
from prediction.models import SavingKind
from reports.savings.caching import uncached_input
from reports.savings.cheaper_keys import cheaper_keys
from reports.savings.idle_money import oversize_budgets, unused_keys
from reports.savings.retries import retries
from reports.savings.trials import models_that_did_better, models_to_try

_MONTH = timedelta(days=30)


def find_savings(*, now: datetime) -> int:
    """Find what could have been saved, and keep it; returns how many proposals are new.

    Running it again at the same moment changes nothing.
    """
    since = now - _MONTH
    tried = list(first_attempts(since=since, until=now))
    failed = repeated_attempts(since=since, until=now)
    found = [
        *_cheaper(tried, now),
        *retries(failed),
        *uncached_input(tried, failed, since=since, until=now),
        *unused_keys(since=since),
        *oversize_budgets(since=since, until=now),
    ]
    gateway.forget_repeated_input(now=now)
    return prediction.keep_savings(found, kinds=list(SavingKind), now=now)


def _cheaper(tried: Sequence[FirstAttempt], now: datetime) -> list[prediction.FoundSaving]:
    """What is sure to be cheaper; what is worth a trial only where nothing is sure."""
    sure = list(cheaper_keys(tried))
    kinds = {(each.subject, each.evidence["runner"]) for each in sure}
    to_try = [
        each
        for each in models_to_try(tried, now=now)
        if each.evidence["asked_model"] or (each.subject, each.evidence["runner"]) not in kinds
    ]
    return [*sure, *to_try, *models_that_did_better(tried)]


def ask_savings() -> None:
    """Have a job look for savings now."""
    async_task("reports.jobs.find_savings")
