"""For how long prompts and answers of a cost centre are kept."""

from collections.abc import Sequence

from django.db.models import QuerySet

from gateway.audit_actions import Action
from gateway.models import Retention
from keys.models import CostCentre
from security.models import AuditEntry

_CENTRE = "centre:"


def retention_days(payers: Sequence[str]) -> int:
    """For how many days what these payers pay for is kept; 0: it is not.

    `payers` as an allocation has them, the root before what is below it: `agent:ada`,
    `centre:org`, `centre:research`. One query by primary key.
    """
    path = [payer.removeprefix(_CENTRE) for payer in payers if payer.startswith(_CENTRE)]
    return _nearest(path, _said(path))


def retention_in_force(above: CostCentre) -> dict[str, int]:
    """The days of a cost centre and of each below it, by slug. Two queries."""
    rows = CostCentre.objects.filter(path__contains=[above.pk]).values_list("pk", "path")
    paths = dict(rows)
    said = _said({slug for path in paths.values() for slug in path})
    return {slug: _nearest(path, said) for slug, path in paths.items()}


def retention_changes(cost_centre: str, *, most: int) -> QuerySet[AuditEntry]:
    """The latest changes of a cost centre's retention, the newest first."""
    changes = AuditEntry.objects.about(f"{_CENTRE}{cost_centre}")
    return changes.filter(action=Action.RETENTION_SET)[:most]


def _said(slugs) -> dict[str, int]:
    """What the rows of these cost centres say, without those that leave it to the one above."""
    found = Retention.objects.filter(pk__in=slugs, days__isnull=False)
    return dict(found.values_list("pk", "days"))


def _nearest(path: Sequence[str], said: dict[str, int]) -> int:
    return next((said[slug] for slug in reversed(path) if slug in said), 0)
