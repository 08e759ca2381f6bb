"""The theme of pages, which the server renders."""

import pytest
from django.contrib.auth import get_user_model

from dashboard.theme import COOKIE

pytestmark = pytest.mark.django_db


@pytest.fixture
def grace(client):
    client.force_login(get_user_model().objects.create_superuser("grace"))
    return client


def test_a_chosen_theme_is_kept_and_leads_back(grace):
    answer = grace.post("/theme", {"theme": "dark", "next": "/access?x=1"})
    assert answer.url == "/access?x=1"
    assert answer.cookies[COOKIE]["samesite"] == "Lax"
    assert b'data-theme="dark"' in grace.get("/").content


@pytest.mark.parametrize("theme", ["", "blue", '"><script>'])
def test_a_theme_that_there_is_not_is_refused(grace, theme):
    assert grace.post("/theme", {"theme": theme}).status_code == 400
    grace.cookies[COOKIE] = theme
    assert b'data-theme="system"' in grace.get("/").content


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "javascript:x", ""])
def test_the_switch_leads_to_no_other_site(grace, back):
    assert grace.post("/theme", {"theme": "light", "next": back}).url == "/"
