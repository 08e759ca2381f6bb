"""What a page must not do, seen by a browser."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
# Wide tables scroll inside; the page itself never does.
_TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
_AXE_RUN = "axe.run(document, {resultTypes: ['violations']})"


# Adds up how far the page moves by itself, as browsers count it.
SUM_OF_SHIFTS = """
  window.shifts = 0;
  new PerformanceObserver((list) => {
    for (const shift of list.getEntries()) window.shifts += shift.value;
  }).observe({ type: "layout-shift", buffered: true });
"""


class Watch:
    """Notes what pages say in the console, what fails, and what they load from elsewhere."""

    def __init__(self, page: Page, site: str) -> None:
        self.faults: list[str] = []
        self._site = urlsplit(site).netloc
        page.on("console", lambda message: self._note(page, message.text))
        page.on("pageerror", lambda error: self._note(page, str(error)))
        page.on("request", lambda request: self._look(page, request.url))

    def _note(self, page: Page, text: str) -> None:
        # A page that says "not found" is one.
        if "404 (Not Found)" not in text:
            self.faults.append(f"{page.url}: {text}")

    def _look(self, page: Page, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "data" and parts.netloc != self._site:
            self._note(page, f"loads {url}")


def violations(page: Page) -> list[str]:
    """What axe-core finds on the page as it is now."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate(_AXE_RUN)["violations"]
    return [
        f"{page.url} at {page.viewport_size}: {each['id']}: {node['html'][:160]}"
        for each in found
        for node in each["nodes"]
    ]


def overflow(page: Page) -> list[str]:
    """Whether the page is wider than the window."""
    return [f"{page.url} is too wide for {page.viewport_size}"] if page.evaluate(_TOO_WIDE) else []
