"""All that a superuser changes with triggers off is found and named."""

import os
from random import Random

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from security.audit_chain.checkpoint import parse
from security.audit_chain.checkpoint_file import latest
from security.audit_chain.verify import verify
from tests.security.audit_chain import tampering
from tests.security.audit_chain.conftest import now

pytestmark = pytest.mark.django_db

# BUTLER_TAMPERINGS=500 for a night.
CASES = settings(
    max_examples=int(os.environ.get("BUTLER_TAMPERINGS", "60")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def findings_after(tamper, random):
    """What was expected, and what is found; the database is as before then."""
    _, note = latest()
    with transaction.atomic():
        tampering.disarm(random)
        expected = tamper(random)
        verification = verify(anchors=parse(note), now=now())
        transaction.set_rollback(True)
    return expected, verification.findings


@CASES
@given(tamper=st.sampled_from(tampering.WAYS), random=st.randoms())
def test_what_a_superuser_changes_with_triggers_off_is_named(chain, tamper, random):
    expected, findings = findings_after(tamper, random)
    assert any(expected in finding for finding in findings), findings[:3]


@pytest.mark.parametrize("tamper", tampering.WAYS)
def test_each_way_of_tampering_is_named(chain, tamper):
    expected, findings = findings_after(tamper, Random(1))
    assert any(expected in finding for finding in findings), findings[:3]
