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
        # They are sealed with the decision, and in the audit at once.
        without=frozenset(
            {
                *("first_yes_by_name", "first_yes_for_name", "first_yes_persons"),
                *("first_yes_at", "first_yes_reason", "first_delegation"),
            }
        ),
        later="approval",
    )
)
register(Source(slug="approval", model=Approval, condition=~Q(status=Approval.Status.ASKED)))
