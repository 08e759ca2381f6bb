"""The page of retention: how long charges are kept, the months, and who may change it."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from keys import services as keys
from keys.identity.queries.organisation import organisation
from security.models import Approval
from tests.actors import ACTOR
from tests.keys.builders import PAID, add_key, allocate, complete, hold, settle
from tests.moments import NOON

pytestmark = pytest.mark.django_db

PAGE = "/settings/retention"
LATER = NOON + keys.PARTITIONED_AFTER + timedelta(days=1)


@pytest.fixture
def administrator(client):
    return signed_in(client, "administrator")


def signed_in(client, role):
    user = get_user_model().objects.create_user(role, is_staff=True)
    user.groups.set(Group.objects.filter(name=role))
    client.force_login(user)
    return client


def page_of(answer):
    assert answer.status_code == 200
    return answer.content.decode()


def asked(client, **values):
    return client.post(
        f"{PAGE}?act=keep", {"months": "13", "reason": "storage"} | values, follow=True
    )


def test_without_usage_it_says_what_is_kept(administrator):
    page = page_of(administrator.get(PAGE))
    assert "Single charges are kept for ever" in page
    assert "none is old enough to be deleted" in page


def test_it_lists_the_months_with_what_they_hold(administrator, people):
    add_key("openai-1", rates=PAID, provider="openai", per_day=None)
    session = allocate(tokens=10_000)
    settle(hold(session, 1_500), 1_234)
    complete(session)
    keys.partition_charges(now=LATER)
    assert "filling" in page_of(administrator.get(PAGE))
    keys.complete_partitions(now=LATER)
    page = page_of(administrator.get(PAGE))
    assert "2026-03" in page and "complete" in page and "1,234" in page
    file = b"".join(administrator.get(f"{PAGE}?format=csv").streaming_content).decode()
    assert "2026-03,complete,1,1234,0.003702" in file


def test_to_keep_less_asks_a_second_person(administrator):
    assert "A second person must approve" in page_of(asked(administrator))
    assert organisation().charges_kept_months is None
    assert Approval.objects.get().change == {"before": None, "after": 13}


def test_to_keep_more_counts_at_once(administrator):
    keys.change_organisation(charges_kept_months=24, actor=ACTOR, reason="test", now=NOON)
    page = page_of(asked(administrator, months="36"))
    assert "Single charges are kept for 36 months after the month of their settlement" in page
    assert page_of(asked(administrator, months=""))
    assert organisation().charges_kept_months is None


def test_what_is_wrong_is_said_and_changes_nothing(administrator):
    assert "Charges are already kept for so long." in page_of(asked(administrator, months=""))
    assert "Select a valid choice" in page_of(asked(administrator, months="5"))
    assert "This field is required" in page_of(asked(administrator, reason=""))
    assert not Approval.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "finance", "operator", "auditor"])
def test_others_see_it_and_may_not_change_it(client, role):
    client = signed_in(client, role)
    assert "Change how long" not in page_of(client.get(PAGE))
    assert asked(client).status_code == 403
