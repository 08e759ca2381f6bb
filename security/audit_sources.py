"""What `security` has sealed."""

from django.db.models import Q

from security.audit_chain.sources import Source, register
from security.models import Approval, AuditEntry

register(Source(slug="audit_entry", model=AuditEntry))
register(
    Source(
        slug="approval_request",
        model=Approval,
        condition=Q(status=Approval.Status.ASKED),
        later="approval",
    )
)
register(Source(slug="approval", model=Approval, condition=~Q(status=Approval.Status.ASKED)))
