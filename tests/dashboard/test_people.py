"""People, their access and their sessions, as the dashboard shows and changes them."""

import csv
import re
from html import unescape

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from dashboard.people.browsers import browser_name
from gate import services
from gate.access import Access, access_of
from gate.refusals import SuperuserAccess
from security.actor import Actor
from security.models import AuditEntry
from tests.signed_in import confirm

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
VIEWER = Access(frozenset({"viewer"}), frozenset({"research"}))
QUERIES_MAX = 20


def signed_in(name, *, role=None, **attributes):
    """A client signed in as this person with one role, who gave a password just now."""
    users = get_user_model().objects
    person = users.filter(username=name).first() or users.create_user(
        name, is_staff=True, **attributes
    )
    if role:
        person.groups.add(Group.objects.get(name=role))
    client = Client(headers={"user-agent": FIREFOX})
    client.force_login(person)
    confirm(client, person)
    UserSession.objects.create(
        user=person, ip="10.0.0.1", user_agent=FIREFOX, session_key=client.session.session_key
    )
    return client


@pytest.fixture
def adam(people):
    """A client signed in as adam, an administrator."""
    return signed_in("adam", role="administrator")


@pytest.fixture
def vera(people):
    """A person with the role viewer, bound to research."""
    return services.invite(
        "vera", email="v@example.org", access=VIEWER, actor=Actor.person("adam"), now=timezone.now()
    )


def html_of(client, path, **query):
    answer = client.get(path, query)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def act(client, person, name, **asked):
    path = f"/settings/people/{person.pk}?act={name}"
    return client.post(path, {"reason": "as agreed", **asked}, follow=True)


def rows_of(client, **query):
    rows = client.get("/settings/people", query).context["table"].rows
    return {row["person"].value: row for row in rows}


def test_the_list_says_who_has_which_role_where_and_is_signed_in(adam, vera):
    rows = rows_of(adam)
    assert (rows["vera"]["roles"], rows["vera"]["centres"]) == ("viewer", "research")
    assert (rows["vera"]["status"], rows["vera"]["factor"]) == ("invited", "none")
    assert (rows["adam"]["sessions"], rows["adam"]["centres"]) == (1, "all")
    assert rows_of(adam, role="viewer").keys() == {"vera"}
    assert rows_of(adam, role="no such") == {}


def test_the_file_has_the_rows_of_the_page(adam, vera):
    answer = adam.get("/settings/people", {"format": "csv"})
    lines = list(csv.reader(b"".join(answer.streaming_content).decode().splitlines()))
    assert [line[0] for line in lines[1:3]] == ["adam", "vera"]


def test_many_people_take_as_many_queries_as_few(adam, vera, django_assert_max_num_queries):
    for number in range(30):
        get_user_model().objects.create_user(f"many-{number}")
    with django_assert_max_num_queries(QUERIES_MAX):
        html_of(adam, "/settings/people")
    with django_assert_max_num_queries(QUERIES_MAX):
        html_of(adam, f"/settings/people/{vera.pk}")


def test_a_role_is_granted_and_revoked_with_a_reason(adam, vera):
    html = act(adam, vera, "access", roles=["auditor"]).content.decode()
    assert "The access of vera is set." in html
    assert access_of(vera) == Access(frozenset({"auditor"}), frozenset())
    entry = AuditEntry.objects.get(action="person.set_access")
    assert (entry.reason, entry.actor_name) == ("as agreed", "adam")
    act(adam, vera, "access")
    assert access_of(vera).roles == frozenset()


@pytest.mark.parametrize("asked", [{"roles": ["root"]}, {"centres": ["nowhere"]}, {"reason": ""}])
def test_what_is_wrong_changes_nothing(adam, vera, asked):
    assert "errorlist" in act(adam, vera, "access", **asked).content.decode()
    assert access_of(vera) == VIEWER


def test_nobody_changes_their_own_access(adam):
    me = get_user_model().objects.get(username="adam")
    assert "You cannot change your own access." in html_of(adam, f"/settings/people/{me.pk}")
    for name in ("access", "off", "on", "link", "sign-out"):
        assert act(adam, me, name).status_code == 403


def test_an_administrator_changes_no_superuser_also_not_by_the_service(adam):
    root = get_user_model().objects.create_superuser("root")
    for name in ("access", "off", "link", "sign-out"):
        assert act(adam, root, name).status_code == 403
    for service in (services.switch_off, services.sign_out_everywhere):
        with pytest.raises(SuperuserAccess):
            service(root, reason="x", actor=Actor.person("adam"), now=timezone.now())
    root.refresh_from_db()
    assert root.is_active


def test_dangerous_acts_ask_for_a_password_that_was_given_just_now(adam, vera):
    confirm(adam, get_user_model().objects.get(username="adam"), seconds_ago=100_000)
    for answer in (
        adam.get(f"/settings/people/{vera.pk}?act=access"),
        adam.post(f"/settings/people/{vera.pk}?act=access", {"reason": "x"}),
        adam.get("/settings/people?act=invite"),
    ):
        assert answer["Location"].startswith("/account/confirm/")
    assert access_of(vera) == VIEWER


def test_a_person_is_invited_and_the_link_is_shown_once(adam):
    given = {"username": "nina", "email": "", "roles": ["finance"], "reason": "new in finance"}
    answer = adam.post("/settings/people?act=invite", given)
    assert "no-store" in answer["Cache-Control"]
    assert re.search(r"/invitation/\w+/[\w-]+/", answer.content.decode())
    nina = get_user_model().objects.get(username="nina")
    assert access_of(nina).roles == {"finance"}
    assert AuditEntry.objects.get(action="person.invite").reason == "new in finance"
    assert "/invitation/" not in html_of(adam, f"/settings/people/{nina.pk}")
    again = adam.post("/settings/people?act=invite", given).content.decode()
    assert "A person with the user name nina exists" in unescape(again)


def test_a_new_link_is_only_for_who_may_do_as_much(adam, vera):
    assert "/invitation/" in act(adam, vera, "link").content.decode()
    services.set_access(
        vera,
        access=Access(frozenset({"operator"}), frozenset()),
        reason="x",
        actor=Actor.person("olga"),
        now=timezone.now(),
    )
    assert act(adam, vera, "link").status_code == 403


def test_who_is_switched_off_is_signed_out_at_once(adam, people):
    eve = signed_in("eve", role="viewer")
    person = get_user_model().objects.get(username="eve")
    act(adam, person, "off")
    assert eve.get("/settings/me").status_code == 302
    act(adam, person, "on")
    person.refresh_from_db()
    assert person.is_active


def test_a_person_is_signed_out_everywhere_by_another(adam, people):
    clients = [signed_in("eve", role="viewer"), signed_in("eve")]
    person = get_user_model().objects.get(username="eve")
    assert html_of(adam, f"/settings/people/{person.pk}").count("Firefox on Linux") == 2
    act(adam, person, "sign-out")
    assert [each.get("/settings/me").status_code for each in clients] == [302, 302]
    assert AuditEntry.objects.get(action="person.sign_out").after == {"sessions": 2}
    assert adam.get("/settings/me").status_code == 200


def test_an_auditor_sees_people_and_changes_none(adam, vera):
    auditor = signed_in("aud", role="auditor")
    html = html_of(auditor, f"/settings/people/{vera.pk}", act="access")
    assert 'class="button" href="?act=' not in html
    assert '<dialog class="act"' not in html
    assert act(auditor, vera, "access", roles=["viewer"]).status_code == 403
    viewer = signed_in("view", role="viewer")
    for path in ("/settings/people", f"/settings/people/{vera.pk}"):
        assert viewer.get(path).status_code == 403


def test_one_other_session_is_ended_and_is_out(people):
    here, there = signed_in("eve", role="viewer"), signed_in("eve")
    html = html_of(here, "/settings/me")
    assert html.count("Firefox on Linux · ") + html.count("<b>Firefox on Linux</b>") == 2
    other = UserSession.objects.get(session_key=there.session.session_key)
    answer = here.post("/settings/me", {"session": other.pk}, follow=True)
    assert "1 session ended." in answer.content.decode()
    assert there.get("/settings/me").status_code == 302
    assert here.get("/settings/me").status_code == 200


def test_all_others_are_ended_and_this_one_stays(people):
    here, *others = [signed_in("eve", role="viewer") for _ in range(3)]
    # One of before sign-ins were noted.
    UserSession.objects.filter(session_key=others[0].session.session_key).delete()
    answer = here.post("/settings/me", {"others": "1"}, follow=True)
    assert "2 sessions ended." in answer.content.decode()
    assert [each.get("/settings/me").status_code for each in others] == [302, 302]


@pytest.mark.parametrize("number", ["", "0", "x", "9" * 30, "-1", "²"])
def test_a_session_of_somebody_else_or_none_ends_nothing(people, number):
    here, adam = signed_in("eve", role="viewer"), signed_in("adam")
    before = Session.objects.count()
    of_adam = UserSession.objects.get(session_key=adam.session.session_key)
    for each in (number, str(of_adam.pk)):
        answer = here.post("/settings/me", {"session": each}, follow=True)
        assert "0 sessions ended." in answer.content.decode()
    assert Session.objects.count() == before
    assert not AuditEntry.objects.filter(action="person.sign_out").exists()


def test_a_session_says_when_it_was_last_used(people):
    here = signed_in("eve", role="viewer")
    mine = UserSession.objects.filter(session_key=here.session.session_key)
    long_ago = timezone.now() - services.NOTED_EVERY * 3
    mine.update(last_seen_at=long_ago)
    services.note_activity(here.session.session_key, now=long_ago + services.NOTED_EVERY / 2)
    assert mine.get().last_seen_at == long_ago
    here.get("/settings/me")
    assert mine.get().last_seen_at > long_ago


def test_the_theme_is_chosen_on_the_page(people):
    here = signed_in("eve", role="viewer")
    here.post("/theme", {"theme": "dark", "next": "/settings/me"})
    assert 'data-theme="dark"' in html_of(here, "/settings/me")
    assert settings.SESSION_COOKIE_NAME in here.cookies


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0) Chrome/130 Safari/5 Edg/130",
            "Edge on Windows",
        ),
        ("Mozilla/5.0 (Linux; Android 14) Chrome/130 Mobile Safari/537", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18 like Mac OS X) Safari/604", "Safari on iOS"),
        ("", "Another browser"),
        ("<script>", "Another browser"),
    ],
)
def test_a_browser_has_a_name(user_agent, name):
    assert browser_name(user_agent) == name
