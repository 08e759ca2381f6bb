"""For how long prompts and answers of a cost centre are kept."""

from collections.abc import Collection, Sequence

from django.db.models import QuerySet

from gateway.audit_actions import Action
from gateway.models import Retention
from keys.models import CostCentre
from security.models import AuditEntry

_CENTRE = "centre:"


def retention_days(payers: Sequence[str]) -> int:
    """For how many days calls of these payers are kept; 0 if they are not kept.

    `payers` in the order of an allocation, each cost centre before those below it: `agent:ada`,
    `centre:org`, `centre:research`. One query by primary key.
    """
    path = [payer.removeprefix(_CENTRE) for payer in payers if payer.startswith(_CENTRE)]
    return _nearest(path, _own_days(path))


def retention_in_force(above: CostCentre) -> dict[str, int]:
    """The effective days of a cost centre and of each below it, by slug. Two queries."""
    rows = CostCentre.objects.filter(path__contains=[above.pk]).values_list("pk", "path")
    paths = dict(rows)
    own_days = _own_days({slug for path in paths.values() for slug in path})
    return {slug: _nearest(path, own_days) for slug, path in paths.items()}


def retention_changes(cost_centre: str, *, most: int) -> QuerySet[AuditEntry]:
    """The latest changes of a cost centre's retention, the newest first."""
    changes = AuditEntry.objects.about(f"{_CENTRE}{cost_centre}")
    return changes.filter(action=Action.RETENTION_SET)[:most]


def _own_days(slugs: Collection[str]) -> dict[str, int]:
    """The days of those cost centres that do not inherit them."""
    rows = Retention.objects.filter(pk__in=slugs).values_list("pk", "days")
    return {slug: days for slug, days in rows if days is not None}


def _nearest(path: Sequence[str], own_days: dict[str, int]) -> int:
    return next((own_days[slug] for slug in reversed(path) if slug in own_days), 0)
