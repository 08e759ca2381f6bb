"""The rail: what a person may open, and how much waits there."""

import re
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone

from alerts import services as alerts
from common import links
from dashboard import rail
from dashboard.ranges import date_range
from keys import alert_kinds
from tests.moments import NOON

pytestmark = pytest.mark.django_db
LINE = re.compile(r'<li><a href="([^"]+)"( aria-current="page")?>.*?<span>([^<]+)</span>')


def person(*codenames):
    user = get_user_model().objects.create_user("ruth", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def html(client, user, path="/"):
    client.force_login(user)
    return unescape(client.get(path).content.decode())


def test_the_rail_has_what_a_person_may_open(client):
    titles = [title for _, _, title in LINE.findall(html(client, person("view_apikey")))]
    assert {"Overview", "Keys"} <= set(titles)
    assert not {"Spend", "Audit", "Who may what"} & set(titles)


def test_the_page_that_is_open_is_marked(client):
    root = get_user_model().objects.create_superuser("root")
    open_at = {"/access": "Who may what", "/charges": "Spend", "/savings": "Reports"}
    open_at |= {
        "/import-keys": "Keys",
        "/import-usage": "Reports",
        "/test-keys": "Keys",
        "/budget-requests/new?session=x": "Budgets",
    }
    for path, line in open_at.items():
        lines = LINE.findall(html(client, root, path))
        assert [title for _, mark, title in lines if mark] == [line], path


def test_every_entry_leads_to_a_page_and_a_permission_that_exist(db):
    known = {f"{p.content_type.app_label}.{p.codename}" for p in Permission.objects.all()}
    for entry in (*rail.MAIN, *rail.SMALL):
        assert links.url(entry.kind).startswith("/")
        assert not entry.permission or entry.permission in known, entry


def test_open_alerts_are_counted_for_who_may_see_them(client):
    kind = alert_kinds.KEY_BROKEN
    alerts.raise_alert(kind=kind, dedup_key="x", title="Broken", now=timezone.now())
    assert '1<span class="unseen"> waiting' in html(client, person("view_alert"))


def test_a_range_is_chosen_without_losing_filters():
    days = date_range({}, now=NOON, zone=ZoneInfo("UTC"))
    request = RequestFactory().get("/spend?group=agent&range=7d&after=50")
    template = Template("{% load dashboard %}{% range_picker days %}")
    shown = unescape(template.render(Context({"days": days, "request": request})))
    assert 'href="?group=agent&range=28d"' in shown
    assert '<input type="hidden" name="group" value="agent">' in shown
    assert 'name="range"' not in shown
    assert 'name="after"' not in shown
