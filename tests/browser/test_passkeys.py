"""A passkey in a real browser: added, then used instead of name and password."""

import asyncio

import pytest
from django.contrib.auth import get_user_model

from tests.browser.chromium import Page, chromium

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "fern-hill-92"  # noqa: S105
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def carol():
    return get_user_model().objects.create_user("carol", password=PASSWORD, is_staff=True)


def path(name):
    return f"location.pathname == '{name}'"


async def fill(page, **values):
    """Enter values into the form of the page and send it."""
    for name, value in values.items():
        await page.run(f"document.querySelector('[name={name}]').value = '{value}'")
    await page.run("document.querySelector('form.fields').requestSubmit()")


async def add_and_use(page: Page, site: str, pictures) -> None:
    await page.send("WebAuthn.enable")
    await page.send("WebAuthn.addVirtualAuthenticator", options=AUTHENTICATOR)
    await page.open(f"{site}/admin/login/")
    await page.until("document.querySelector('[name=login]')")
    await page.picture(pictures / "sign-in.png")
    await fill(page, login="carol", password=PASSWORD)
    await page.until(path("/"))
    await page.open(f"{site}/account/second-factor/webauthn/add/")
    await page.until(path("/account/confirm/"))
    await page.picture(pictures / "confirm.png")
    await fill(page, password=PASSWORD)
    await page.until("document.querySelector('#mfa_webauthn_add')")
    await page.picture(pictures / "add-passkey.png")
    await page.run("document.querySelector('[name=passwordless]').checked = true")
    await page.run("document.querySelector('#mfa_webauthn_add').click()")
    await page.until(path("/account/second-factor/recovery-codes/"))
    await page.picture(pictures / "recovery-codes.png")
    for name in ("second-factor", "sessions", "second-factor/totp/activate"):
        await page.open(f"{site}/account/{name}/")
        await page.until(path(f"/account/{name}/"))
        await page.picture(pictures / f"{name.replace('/', '-')}.png")
    await page.send("Network.clearBrowserCookies")
    await page.open(f"{site}/admin/login/")
    await page.until("document.querySelector('#passkey_login')")
    await page.run("document.querySelector('#passkey_login').click()")
    await page.until(path("/"))


def test_a_passkey_signs_in(carol, live_server, tmp_path):
    async def journey():
        async with chromium(tmp_path / "profile") as page:
            await add_and_use(page, live_server.url, tmp_path)

    asyncio.run(journey())
