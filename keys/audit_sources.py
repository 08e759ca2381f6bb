"""What `keys` has sealed. Rotations and changes of limits are audit entries, sealed as such."""

from collections.abc import Iterable

from django.db.models import Q

from common.statements import fetch
from keys.books import sql
from keys.models import Adjustment, Charge, ChargePartition
from security.audit_chain.sources import Source, register


def _deleted_by_retention(row_ids: Iterable[int]) -> set[int]:
    return {row.id for row in fetch(sql.DROPPED, charges=list(row_ids))}


_SETTLED = Q(status=Charge.Status.SETTLED)

register(
    Source(
        slug="charge",
        model=Charge,
        condition=_SETTLED & Q(hold_expired_at__isnull=True),
        deleted=_deleted_by_retention,
    )
)
# The whole hold of a call that was sent, until what the call really used is known.
register(
    Source(
        slug="charge_estimate",
        model=Charge,
        condition=_SETTLED & Q(hold_expired_at__isnull=False),
        later="charge",
        deleted=_deleted_by_retention,
    )
)
register(Source(slug="adjustment", model=Adjustment))
register(
    Source(
        slug="dropped_charges",
        model=ChargePartition,
        condition=Q(dropped_at__isnull=False),
    )
)
