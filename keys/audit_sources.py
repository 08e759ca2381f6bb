"""What `keys` has sealed. Rotations and changes of limits are audit entries, sealed as such."""

from django.db.models import Q

from keys.models import Adjustment, Charge
from security.audit_chain.sources import Source, register

_SETTLED = Q(status=Charge.Status.SETTLED)

register(
    Source(
        slug="charge",
        model=Charge,
        condition=_SETTLED & Q(hold_expired_at__isnull=True),
    )
)
# The whole hold of a call that was sent, until what the call really used is known.
register(
    Source(
        slug="charge_estimate",
        model=Charge,
        condition=_SETTLED & Q(hold_expired_at__isnull=False),
        later="charge",
    )
)
register(Source(slug="adjustment", model=Adjustment))
