"""A headless Chromium, driven over its DevTools protocol."""

import asyncio
import base64
import itertools
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0")
_LOOKS_SECONDS = 0.05


class Page:
    """The one page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._ids = socket, itertools.count(1)

    async def send(self, method: str, **params: Any) -> Any:
        """Send a command; its result."""
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async for message in self._socket:
            answer = json.loads(message.data)
            if answer.get("id") == number:
                return answer.get("result", answer.get("error"))
        raise EOFError(method)

    async def run(self, script: str) -> Any:
        """The value of a script in the page."""
        result = await self.send("Runtime.evaluate", expression=script, returnByValue=True)
        return result.get("result", {}).get("value")

    async def until(self, script: str) -> None:
        """Wait until the script is true in the page that is loaded then."""
        async with asyncio.timeout(60):
            while not await self.run(f"document.readyState == 'complete' && !!({script})"):
                await asyncio.sleep(_LOOKS_SECONDS)

    async def open(self, url: str) -> None:
        """Go to another page."""
        await self.send("Page.navigate", url=url)

    async def picture(self, file: Path) -> None:
        """Keep a picture of the page."""
        picture = await self.send("Page.captureScreenshot")
        file.write_bytes(base64.b64decode(picture["data"]))


@asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Page]:
    """A browser with an empty profile in `folder`."""
    command = [shutil.which("chromium") or "chromium", *_FLAGS, f"--user-data-dir={folder}"]
    with subprocess.Popen([*command, "about:blank"], stderr=subprocess.DEVNULL) as running:
        try:
            port = await _port(folder / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                    pages = await answer.json()
                url = next(each for each in pages if each["type"] == "page")["webSocketDebuggerUrl"]
                async with session.ws_connect(url, max_msg_size=0) as socket:
                    yield Page(socket)
        finally:
            running.terminate()


async def _port(file: Path) -> str:
    async with asyncio.timeout(60):
        while not (file.exists() and file.read_text()):
            await asyncio.sleep(_LOOKS_SECONDS)
    return file.read_text().split()[0]
