"""These tests run where Chromium is installed, or where `BUTLER_BROWSER_TESTS` is `required`."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from dashboard.theme import COOKIE
from tests.required import skip_unless_installed

_MISSING = None if shutil.which("chromium") else "Chromium is not installed"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip all tests of this folder without Chromium."""
    skip_unless_installed(
        items, folder="browser", missing=_MISSING, variable="BUTLER_BROWSER_TESTS"
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium, shared by the tests of a module.

    While Playwright runs, tests in this thread cannot run an event loop of their own.
    """
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright runs an event loop in this thread, so Django would refuse to query in tests.
        patch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "yes")
        running = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        yield running
        running.close()


@pytest.fixture
def signed_in(browser: Browser, live_server: Any) -> Iterator[Callable[..., BrowserContext]]:
    """`signed_in(theme="dark", **options)`: a window of a person who may see everything."""
    root = get_user_model().objects.create_superuser("grace", "grace@example.com")
    client = Client()
    client.force_login(root)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    opened: list[BrowserContext] = []

    def window(theme: str = "light", **options: Any) -> BrowserContext:
        context = browser.new_context(base_url=live_server.url, **options)
        cookies = {settings.SESSION_COOKIE_NAME: session, COOKIE: theme}
        context.add_cookies(
            [{"name": k, "value": v, "url": live_server.url} for k, v in cookies.items()]
        )
        opened.append(context)
        return context

    yield window
    for context in opened:
        context.close()


@pytest.fixture
def as_olga(browser: Browser, live_server: Any) -> Iterator[Page]:
    """A page of another person."""
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("olga"))
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    context = browser.new_context(base_url=live_server.url)
    context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}]
    )
    yield context.new_page()
    context.close()
