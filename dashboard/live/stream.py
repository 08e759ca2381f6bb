"""One browser's stream of events."""

import asyncio

from dashboard.live.admission import Admission, Scope, Send


class Stream:
    """Holds the newest message until the browser takes it; older ones are dropped, so a slow
    browser gets fewer messages and costs no memory."""

    def __init__(self, scope: Scope, admission: Admission, *, checked_at: float) -> None:
        self.scope, self.subscription = scope, admission.subscription
        self.person_id = admission.person_id
        # When it was last looked whether the person may still see the page.
        self.checked_at = checked_at
        self._waiting = b""
        self._ended = False
        self._wake = asyncio.Event()

    def post(self, message: bytes) -> None:
        """Send this message next, instead of one that still waits."""
        self._waiting = message
        self._wake.set()

    def beat(self, message: bytes) -> None:
        """Send this message, unless another one waits."""
        self.post(self._waiting or message)

    def end(self, message: bytes = b"") -> None:
        """End the stream, after this message if there is one."""
        self._ended = True
        self.post(message)

    async def send_to(self, send: Send) -> None:
        """Send the messages to the browser until the stream ends."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            message, self._waiting = self._waiting, b""
            is_last = self._ended
            await send({"type": "http.response.body", "body": message, "more_body": not is_last})
            if is_last:
                return
