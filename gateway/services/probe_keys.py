"""Ask providers whether they accept keys that are in doubt."""

from datetime import datetime, timedelta

from django_q.tasks import async_task

from gateway import key_probe
from gateway.key_probe import Probe, Verdict
from keys import services as keys
from keys.supply.queries.api_keys import suspended_keys
from security.actor import Actor

# A key is asked about before it may be lent again, however often the job runs.
_AHEAD = timedelta(minutes=1)
_PROBE = Actor.job("key probe")


def queue_probe(slug: str) -> None:
    """Queue a probe of one key. Joins the caller's transaction, if there is one."""
    async_task("gateway.jobs.probe_key", slug)


def probe_keys(*, now: datetime) -> int:
    """Probe all suspended keys that may be lent again within a minute; how many."""
    slugs = suspended_keys(until=now + _AHEAD)
    probe_each(slugs, now=now)
    return len(slugs)


def probe_each(slugs: list[str], *, now: datetime) -> dict[str, Probe]:
    """Ask the providers about these keys, all at once, and record what they say; returns it.

    Must not run inside a transaction. A key that is not suspended can only break by it.
    """
    probes = key_probe.ask(slugs)
    for slug, probe in probes.items():
        _record(slug, probe, now=now)
    return probes


def _record(slug: str, probe: Probe, *, now: datetime) -> None:
    if probe.verdict is Verdict.ACCEPTED:
        keys.key_accepted(slug, actor=_PROBE, now=now)
    elif probe.verdict is Verdict.REJECTED:
        refusal = keys.KeyRefusal(finding=keys.KeyFinding.INVALID, reason=probe.reason)
        keys.key_refused(slug, refusal=refusal, actor=_PROBE, now=now)
    elif probe.verdict is Verdict.UNDECIDED:
        keys.prolong_suspension(slug, reason=probe.reason, actor=_PROBE, now=now)
