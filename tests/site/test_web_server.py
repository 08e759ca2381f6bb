"""Workers of the web server."""

import uvicorn

from butler_site.web_server import Worker

WAITS_SECONDS = 30


def test_the_end_of_a_worker_is_seen_while_it_is_asked_whether_it_lives():
    worker = Worker(uvicorn.Config("butler_site.asgi:application"), sockets=[])
    worker.start()
    worker.process.kill()
    assert worker.parent_conn.poll(WAITS_SECONDS)
    assert not worker.is_alive()
    worker.join()
