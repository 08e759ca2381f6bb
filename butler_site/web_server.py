"""`python -m butler_site.web_server`: uvicorn, whose workers are replaced at once when they die.

uvicorn asks its workers one after the other whether they live, and keeps the worker's end of that
pipe open as well. A worker that dies while it is asked then looks busy, and until the end of
`--timeout-worker-healthcheck` no worker that died is replaced and no signal is heard.
"""

import uvicorn
from uvicorn.supervisors import multiprocess


class Worker(multiprocess.Process):
    """A process of uvicorn's, whose end its parent sees even while it waits for an answer."""

    def start(self) -> None:
        """Start it, and leave its end of the pipe to it alone."""
        super().start()
        self.child_conn.close()


def main() -> None:
    """Run uvicorn with these workers."""
    # Its supervisor takes no class for them.
    multiprocess.Process = Worker  # type: ignore[misc]
    uvicorn.main()


if __name__ == "__main__":
    main()
