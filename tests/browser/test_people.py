"""People stop an agent, let it go on, give roles and end sessions, by keyboard."""

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from playwright.sync_api import expect

from dashboard.theme import COOKIE
from keys.models import Freeze
from tests.browser.walk import Watch, overflow, violations
from tests.signed_in import confirm

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def window(browser, live_server, people):
    """`window("olga", "operator")`: a window in which this person is signed in."""
    opened = []

    def sign_in(name, role, theme="light"):
        users = get_user_model().objects
        person = users.filter(username=name).first() or users.create_user(name, is_staff=True)
        person.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(person)
        confirm(client, person)
        key = client.session.session_key
        UserSession.objects.create(user=person, ip="10.0.0.1", user_agent="", session_key=key)
        context = browser.new_context(base_url=live_server.url)
        cookies = {settings.SESSION_COOKIE_NAME: key, COOKIE: theme}
        context.add_cookies(
            [{"name": k, "value": v, "url": live_server.url} for k, v in cookies.items()]
        )
        opened.append(context)
        return context.new_page()

    yield sign_in
    for context in opened:
        context.close()


def press(page, thing):
    """Go to the thing by Tab, and press Enter there."""
    thing.wait_for()
    for _ in range(80):
        if thing.evaluate("each => each === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(thing).to_be_focused()
    page.keyboard.press("Enter")


def test_an_agent_is_found_and_frozen_by_keyboard_and_somebody_else_thaws_it(window):
    olga, adam = window("olga", "operator"), window("adam", "approver")
    olga.goto("/")
    olga.keyboard.press("Control+k")
    olga.keyboard.type("ada")
    expect(olga.get_by_role("option").first).to_contain_text("ada")
    olga.keyboard.press("Enter")
    expect(olga.get_by_role("heading", level=1)).to_contain_text("ada active")

    press(olga, olga.get_by_role("link", name="Freeze"))
    dialog = olga.get_by_role("dialog", name="Freeze: ada")
    expect(dialog.get_by_label("Running calls")).to_be_focused()
    olga.keyboard.press("Tab")
    olga.keyboard.type("it loops")
    olga.keyboard.press("Enter")
    expect(olga.get_by_role("status")).to_contain_text("ada is frozen.")
    expect(olga.get_by_role("heading", level=1)).to_contain_text("frozen")

    press(olga, olga.get_by_role("link", name="Thaw"))
    dialog = olga.get_by_role("dialog", name="Thaw: ada")
    dialog.get_by_label("Reason").fill("it is fine")
    olga.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_be_visible()
    assert Freeze.objects.get().thawed_at is None

    adam.goto("/agents?status=frozen")
    press(adam, adam.get_by_role("link", name="ada", exact=True))
    press(adam, adam.get_by_role("link", name="Thaw"))
    adam.get_by_role("dialog", name="Thaw: ada").get_by_label("Reason").fill("mended")
    adam.keyboard.press("Enter")
    expect(adam.get_by_role("status")).to_contain_text("has ended")
    assert Freeze.objects.get().thawed_by == "adam"


def test_a_role_is_granted_and_another_session_is_signed_out(window):
    anna, here, there = window("anna", "administrator"), *(window("eve", "viewer") for _ in "12")
    eve = get_user_model().objects.get(username="eve")
    anna.goto("/settings/people")
    anna.get_by_role("link", name="eve", exact=True).click()
    press(anna, anna.get_by_role("link", name="Set access"))
    dialog = anna.get_by_role("dialog", name="Set access: eve")
    dialog.get_by_label("finance").check()
    dialog.get_by_label("Reason").fill("month close")
    anna.keyboard.press("Enter")
    expect(anna.get_by_role("status")).to_contain_text("The access of eve is set.")
    assert set(eve.groups.values_list("name", flat=True)) == {"viewer", "finance"}

    there.goto("/settings/me")
    here.goto("/settings/me")
    press(here, here.get_by_role("button", name="Sign out Another browser at 10.0.0.1"))
    expect(here.get_by_role("status")).to_contain_text("1 session ended.")
    there.goto("/spend")
    assert "/admin/login/" in there.url


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_of_people_are_for_all_people(window, live_server, theme):
    page = window("anna", "administrator", theme)
    window("eve", "viewer")
    eve = get_user_model().objects.get(username="eve")
    watch = Watch(page, live_server.url)
    faults = []
    one = f"/settings/people/{eve.pk}"
    for path in (one, f"{one}?act=access", f"{one}?act=off", "/settings/people?act=invite"):
        page.goto(path)
        for width in (360, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            faults += violations(page) + overflow(page)
    assert "\n".join(faults + watch.faults) == ""
