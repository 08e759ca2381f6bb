"""Reviews of access on their pages."""

from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission

from gate import services as gate
from gate.models import AccessReview, AccessReviewLine
from tests.actors import GRACE, OLGA

pytestmark = pytest.mark.django_db
LIST = "/settings/reviews"


@pytest.fixture
def office(people, staff):
    """Grace, a superuser, is signed in; eve is a viewer."""
    eve = get_user_model().objects.create_user("eve", "eve@example.org", is_staff=True)
    eve.groups.set(Group.objects.filter(name="viewer"))
    return staff


@pytest.fixture
def review(office, now):
    return gate.start_review(
        "Q4", due_at=now + timedelta(days=7), reason="each quarter", actor=OLGA, now=now
    )


def html_of(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def test_a_review_is_started_with_its_last_day(office, now):
    assert "No review was started yet." in html_of(office, LIST)
    form = {"title": "Q4", "due": f"{now.date()}", "reason": "each quarter"}
    answer = office.post(f"{LIST}?act=start", form, follow=True)
    assert "The review Q4 has 2 lines." in unescape(answer.content.decode())
    again = office.post(f"{LIST}?act=start", form)
    assert "Another review of access is open." in unescape(again.content.decode())
    past = office.post(f"{LIST}?act=start", form | {"due": "2020-01-01"})
    assert "Choose a day in the future." in unescape(past.content.decode())
    assert AccessReview.objects.count() == 1


def test_lines_are_decided_with_a_reason_and_nobody_sees_a_button_at_their_own(office, review):
    page = f"{LIST}/{review.pk}"
    html = html_of(office, page)
    own = AccessReviewLine.objects.get(person__username="grace")
    line = AccessReviewLine.objects.get(person__username="eve")
    assert "0 of 2 lines are decided." in html
    assert f"?act=decide-{line.pk}" in html
    assert f"?act=decide-{own.pk}" not in html
    assert "eve has viewer in all cost centres." in html_of(office, f"{page}?act=decide-{line.pk}")
    asked = {"decision": "removed", "reason": "left the team"}
    assert office.post(f"{page}?act=decide-{own.pk}", asked).status_code == 403
    assert office.post(f"{page}?act=decide-x", asked).status_code == 403
    missing = office.post(f"{page}?act=decide-{line.pk}", {"decision": "open"})
    assert "not one of the available choices" in unescape(missing.content.decode())
    answer = office.post(f"{page}?act=decide-{line.pk}", asked, follow=True)
    assert "viewer of eve is removed." in unescape(answer.content.decode())
    assert not get_user_model().objects.get(username="eve").groups.exists()
    assert [row["role"] for row in office.get(f"{page}?open=1").context["table"].rows] == [
        "superuser"
    ]


def test_the_file_has_every_line_and_its_decision(office, review, now):
    line = AccessReviewLine.objects.get(person__username="eve")
    gate.decide_line(line.pk, decision="confirmed", reason="in use", actor=GRACE, now=now)
    answer = office.get(f"{LIST}/{review.pk}?format=csv")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert lines[0].startswith("Person,Role,Cost centres,Decision,Last sign-in")
    assert any(each.startswith("eve,viewer,all,confirmed,") for each in lines)
    assert len([each for each in lines if each.startswith(("eve,", "grace,"))]) == 2


def test_who_may_only_look_decides_nothing(review, client):
    ben = get_user_model().objects.create_user("ben", "ben@example.org", is_staff=True)
    ben.user_permissions.set(
        Permission.objects.filter(codename__in=("view_user", "view_accessreview"))
    )
    client.force_login(ben)
    page, line = f"{LIST}/{review.pk}", AccessReviewLine.objects.first()
    assert "?act=" not in html_of(client, page)
    assert "?act=" not in html_of(client, LIST)
    asked = {"decision": "removed", "reason": "x"}
    assert client.post(f"{page}?act=decide-{line.pk}", asked).status_code == 403
    assert client.post(f"{LIST}?act=start", {}).status_code == 403
    assert client.get(f"{LIST}/0").status_code == 404


def test_many_lines_take_as_many_queries_as_few(office, review, now, django_assert_max_num_queries):
    for number in range(60):
        user = get_user_model().objects.create_user(f"p{number}", is_staff=True)
        AccessReviewLine.objects.create(
            review=review, person=user, persons=[f"user:{user.pk}"], kind="role", role="viewer"
        )
    for path in (LIST, f"{LIST}/{review.pk}"):
        with django_assert_max_num_queries(12):
            html_of(office, path)
