"""Error pages: in the frame for people who are signed in, and without it for others."""

import pytest
from django.contrib.auth import get_user_model
from django.template.loader import render_to_string
from django.test import Client

pytestmark = pytest.mark.django_db
RAIL = 'class="rail"'


@pytest.fixture
def carol(client):
    """A client of a person who may open the overview and nothing else."""
    client.force_login(get_user_model().objects.create_user("carol", is_staff=True))
    return client


def page(answer, status):
    assert answer.status_code == status
    return answer.content.decode()


def test_a_page_that_is_not_there_keeps_the_frame(carol, client):
    html = page(carol.get("/nowhere"), 404)
    assert "Page not found" in html
    assert RAIL in html
    assert RAIL not in page(Client().get("/nowhere"), 404)


def test_a_page_that_a_person_may_not_open_says_so(carol):
    html = page(carol.get("/access"), 403)
    assert "You do not have permission" in html
    assert RAIL in html


def test_a_form_of_yesterday_says_what_to_do():
    html = page(Client(enforce_csrf_checks=True).post("/theme", {"theme": "dark"}), 403)
    assert "reload the page and send the form again" in html


def test_the_page_of_a_bug_needs_no_request():
    assert "The books are not affected" in render_to_string("500.html")
