"""A review of access is for all people."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone

from gate import services as gate
from gate.models import AccessReviewLine
from tests.actors import OLGA
from tests.browser.walk import Watch, overflow, violations

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_of_a_review_is_for_all_people(signed_in, live_server, people, theme):
    page, now = signed_in(theme).new_page(), timezone.now()
    eve = get_user_model().objects.create_user("eve", "eve@example.org", is_staff=True)
    eve.groups.set(Group.objects.filter(name="viewer"))
    due_at = now + timedelta(days=7)
    review = gate.start_review("Q4", due_at=due_at, reason="quarter", actor=OLGA, now=now)
    line = AccessReviewLine.objects.get(person=eve)
    watch, faults = Watch(page, live_server.url), []
    one = f"/settings/reviews/{review.pk}"
    for path in (one, f"{one}?act=decide-{line.pk}", "/settings/reviews?act=start"):
        page.goto(path)
        for width in (360, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            faults += violations(page) + overflow(page)
    assert "\n".join(faults + watch.faults) == ""
