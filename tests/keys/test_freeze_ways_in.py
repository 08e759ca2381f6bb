"""Freezes in the admin and on the command line."""

import io

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.urls import reverse

from keys import services as keys
from keys.models import Freeze
from security.actor import Actor
from tests.actors import OLGA
from tests.keys.admin_forms import CONFIRMED
from tests.keys.builders import add_key
from tests.moments import NOON
from tests.signed_in import confirm

pytestmark = pytest.mark.django_db
PAGES = {
    "key:key-1": ("apikey", "key-1"),
    "provider:nvidia": ("provider", "nvidia"),
    "agent:ada": ("agent", "ada"),
    "centre:research": ("costcentre", "research"),
}


@pytest.fixture
def staff(client, people):
    """A client signed in as grace, who may do everything."""
    grace = get_user_model().objects.create_superuser("grace", password="x")
    client.force_login(grace)
    add_key("key-1")
    return confirm(client, grace)


def page(name, *args):
    """The address of an admin page."""
    return reverse(f"admin:keys_{name}", args=args)


def html(staff, path):
    """A page as text."""
    answer = staff.get(path, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("scope", PAGES)
def test_a_button_freezes_and_the_page_says_so(staff, scope):
    model, slug = PAGES[scope]
    asked = CONFIRMED | {"mode": "drain", "reason": "it leaked"}
    staff.post(page(f"{model}_freeze", slug), asked)
    row = Freeze.objects.get()
    assert (row.scope, row.mode, row.frozen_by) == (scope, "drain", "grace")
    shown = html(staff, page(f"{model}_change", slug))
    assert f"{scope} is frozen by grace" in shown
    assert "it leaked" in shown
    assert scope.partition(":")[2] in html(staff, page("freeze_changelist"))


def test_without_a_reason_nothing_is_frozen(staff):
    staff.post(page("agent_freeze", "ada"), CONFIRMED | {"mode": "cut", "reason": ""})
    assert not Freeze.objects.exists()


def test_everything_is_frozen_by_one_button_and_thawed_by_another_person(staff):
    staff.post(page("freeze_freeze_everything"), CONFIRMED | {"mode": "cut", "reason": "stop"})
    row = Freeze.objects.get()
    assert row.scope == "all"
    thaw = CONFIRMED | {"reason": "settled"}
    staff.post(page("freeze_thaw", row.pk), thaw)
    assert "Ask another operator" in html(staff, page("freeze_change", row.pk))
    olga = get_user_model().objects.create_superuser("olga", password="x")
    staff.force_login(olga)
    answer = confirm(staff, olga, seconds_ago=3600).post(page("freeze_thaw", row.pk), thaw)
    assert answer["Location"].startswith("/account/confirm/")
    confirm(staff, olga).post(page("freeze_thaw", row.pk), thaw)
    row.refresh_from_db()
    assert (row.thawed_by, row.thaw_reason) == ("olga", "settled")
    assert "olga" in html(staff, page("freeze_change", row.pk))


def run(name, *args):
    """The output of a command."""
    out = io.StringIO()
    call_command(name, *args, stdout=out)
    return out.getvalue()


def test_the_command_line_freezes_lists_and_thaws(people):
    assert "agent:ada (drain)" in run("freeze", "agent:ada", "--drain", "--reason", "leaked")
    assert "by command line since" in run("freeze", "--list")
    with pytest.raises(CommandError, match="Ask another operator"):
        run("thaw", str(Freeze.objects.get().pk), "--reason", "mine")
    row, _ = keys.freeze("all", reason="stop", actor=OLGA, now=NOON)
    assert "all is thawed by command line" in run("thaw", str(row.pk), "--reason", "settled")
    keys.thaw(Freeze.objects.get(scope="agent:ada").pk, reason="so", actor=OLGA, now=NOON)
    assert run("freeze", "--list") == ""


def test_the_command_line_says_what_is_missing(people):
    for arguments in (["freeze"], ["freeze", "all"], ["freeze", "agent:none", "--reason", "x"]):
        with pytest.raises(CommandError):
            run(*arguments)
    assert not Freeze.objects.exists()


def test_names_of_different_kinds_are_different_actors(people):
    row, _ = keys.freeze("agent:bob", reason="x", actor=Actor.agent("carol"), now=NOON)
    assert keys.thaw(row.pk, reason="y", actor=Actor.person("carol"), now=NOON)[1]
