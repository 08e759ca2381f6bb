"""The search that opens on every page, by keyboard alone."""

import pytest
from playwright.sync_api import expect

from tests.browser.walk import Watch, violations
from tests.keys.builders import add_key

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page(signed_in, people):
    for number in (1, 2, 3):
        add_key(f"nvidia-{number}")
    page = signed_in().new_page()
    page.goto("/access")
    return page


def test_a_key_is_found_without_a_mouse(page, live_server):
    watch = Watch(page, live_server.url)
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search")
    expect(field).to_be_focused()
    page.keyboard.type("nvidia-")
    expect(page.get_by_role("option")).to_have_count(3)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    chosen = page.get_by_role("option", selected=True)
    expect(chosen).to_contain_text("nvidia-2")
    assert field.get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    assert violations(page) == []
    assert watch.faults == []
    page.keyboard.press("Enter")
    page.wait_for_url("**/keys/nvidia-2")


def test_the_first_result_needs_no_choice_and_other_letters_forget_it(page):
    page.keyboard.press("Meta+k")
    page.keyboard.type("nvidia-")
    expect(page.get_by_role("option")).to_have_count(3)
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("option", selected=True)).to_contain_text("nvidia-3")
    page.keyboard.type("1")
    expect(page.get_by_role("option")).to_have_count(1)
    assert page.get_by_role("combobox").get_attribute("aria-activedescendant") is None
    page.keyboard.press("Enter")
    page.wait_for_url("**/keys/nvidia-1")


def test_nothing_found_says_so_and_escape_closes(page):
    page.keyboard.press("Control+k")
    page.keyboard.type("zebra")
    expect(page.get_by_role("option")).to_contain_text("Nothing that you may see")
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator("dialog.palette")).not_to_be_visible()


def test_search_needs_no_script(signed_in, people):
    add_key("nvidia-1")
    page = signed_in(java_script_enabled=False).new_page()
    page.goto("/")
    page.get_by_role("link", name="Search").click()
    page.get_by_role("searchbox").fill("nvidia")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name="nvidia-1")).to_be_visible()
