"""The spend explorer and the charges that its figures are the sums of."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from time_machine import travel

from tests.keys.builders import PAID, add_key, adjust, allocate, report
from tests.moments import NOON

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def staff(client):
    """A client signed in as grace, who may see everything."""
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    with travel(NOON, tick=False):
        yield client


@pytest.fixture
def usage(people):
    """ada and carol spend on two days of a month."""
    add_key("openai-1", rates=PAID, provider="openai", per_day=None)
    ada, carol = allocate("ada", 10_000), allocate("carol", 10_000)
    report(ada, 1000, now=NOON - DAY)
    adjust(report(ada, 500, now=NOON), 400, now=NOON)
    report(carol, 70, now=NOON)


def page(client, path, **query):
    answer = client.get(path, query)
    assert answer.status_code == 200, answer.status_code
    return unescape(answer.content.decode())


def test_spend(staff, usage):
    html = page(staff, "/spend", by="agent")
    assert "Cost by agent, 1–10 Mar 2026: $0.0044" in html


def test_charges(staff, usage):
    html = page(staff, "/charges")
    assert "3 of 3" in html


def test_charge(staff, usage):
    html = page(staff, "/charges")
    url = re.search(r'href="(/charges/\d+)"', html)[1]
    html = page(staff, url)
