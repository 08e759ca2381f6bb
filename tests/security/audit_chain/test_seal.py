"""What is sealed, in which order, and that the chain of an honest Butler verifies."""

import pytest

from security.audit_chain.models import Seal, UnsealedRow
from security.audit_chain.verify import verify
from tests.security.audit_chain.conftest import now

pytestmark = pytest.mark.django_db


def test_everything_that_was_written_is_sealed_and_verifies(chain):
    verification = verify(now=now())
    assert verification.findings == []
    assert verification.tail.rows == UnsealedRow.objects.count() == 0
    sources = Seal.objects.order_by("source").values_list("source", flat=True).distinct()
    assert list(sources) == ["adjustment", "audit_entry", "charge", "charge_estimate"]
    assert verification.rows == Seal.objects.first().size
