"""The frame of the pages: menus and the rail."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.django_db(transaction=True)
TELEPHONE = {"width": 360, "height": 780}


def test_the_rail_of_a_telephone_shows_where_one_is(signed_in):
    page = signed_in(viewport=TELEPHONE).new_page()
    page.goto("/settings")
    expect(page.locator(".rail [aria-current]")).to_be_in_viewport()


def test_the_keyboard_reaches_the_content_in_two_steps(signed_in):
    page = signed_in().new_page()
    page.goto("/settings")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
