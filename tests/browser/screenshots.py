"""`python -m tests.browser.screenshots`: pictures of every page of the dashboard for the docs.

Starts Butler with its demo fleet in an empty folder, signs in, and keeps each page as a person sees
it: in both themes, and on a telephone.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, BrowserContext, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "screenshots"
PAGES = {
    "overview": "/",
    "spend": "/spend",
    "spend-by-agent": "/spend?range=28d&by=agent",
    "charges": "/charges",
    "budgets": "/budgets",
    "budget": "/budgets/research",
    "approvals": "/approvals",
    "keys": "/keys",
    "key": "/keys/nvidia-1",
    "agents": "/agents",
    "tasks": "/tasks",
    "task": "/tasks/1",
    "alerts": "/alerts",
    "alert-rules": "/alerts/rules",
    "treasury": "/treasury",
    "purchase": "/treasury/purchases/1",
    "months": "/reports/months",
    "schedules": "/reports/schedules",
    "reports": "/reports",
    "settings": "/settings",
    "people": "/settings/people",
    "cost-centres": "/settings/cost-centres",
    "retention": "/settings/retention",
    "you": "/settings/me",
    "access": "/access",
    "search": "/search?q=nvidia",
    "sign-in": "/admin/login/",
}
CHARGE = "charge"
WINDOWS = {
    "light": {"viewport": {"width": 1440, "height": 960}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1440, "height": 960}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "color_scheme": "light",
        "is_mobile": True,
    },
}
_STARTS_SECONDS = 120
_IS_LIVE = """() => !document.getElementById("live-state")
    || document.documentElement.dataset.live === "live" """


def main() -> None:
    """Make all pictures again."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with TemporaryDirectory() as folder, _butler(Path(folder)) as url, sync_playwright() as tool:
        name, password = (Path(folder) / "sign-in").read_text().split()
        browser = tool.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for window, options in WINDOWS.items():
            _keep(browser, window, options, url=url, name=name, password=password)
        browser.close()
    sys.stdout.write(f"{len(list(FOLDER.iterdir()))} pictures in {FOLDER.relative_to(ROOT)}\n")


def _keep(
    browser: Browser, window: str, options: dict, *, url: str, name: str, password: str
) -> None:
    context = browser.new_context(base_url=url, **options)
    _sign_in(context, name, password)
    page = context.new_page()
    for picture, path in PAGES.items():
        if picture == "sign-in":
            context.clear_cookies()
        page.goto(path, wait_until="load")
        page.evaluate("document.fonts.ready")
        page.wait_for_function(_IS_LIVE)
        page.screenshot(path=FOLDER / f"{picture}-{window}.png")
        if picture == "charges":
            page.locator("table tbody a").first.click()
            page.wait_for_load_state("load")
            page.screenshot(path=FOLDER / f"{CHARGE}-{window}.png")
    context.close()


def _sign_in(context: BrowserContext, name: str, password: str) -> None:
    page = context.new_page()
    page.goto("/admin/login/")
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", password)
    page.locator("button[type=submit]").first.click()
    page.wait_for_url(lambda address: "/login" not in address)
    page.close()


@contextmanager
def _butler(folder: Path) -> Iterator[str]:
    """The address of a Butler with its demo fleet."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environ = os.environ | {"PORT": str(port), "BUTLER_VAR_DIR": str(folder), "DATABASE_URL": ""}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up"], cwd=ROOT, env=environ, stdout=subprocess.DEVNULL
    )
    try:
        _wait(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def _wait(url: str, process: subprocess.Popen) -> None:
    end = time.monotonic() + _STARTS_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"{url}/readyz", timeout=5).close()  # noqa: S310 - our own address
            return
        time.sleep(0.5)
    raise RuntimeError("Butler did not start.")


if __name__ == "__main__":
    main()
