"""`kill -9` in the middle of load: the books balance and nothing that was accepted is lost.

`BUTLER_KILLS=10 BUTLER_KILL_SECONDS=3` is the full size: 30 seconds of load, ten kills.
"""

import json
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

import pytest
from django.core.management import call_command
from django.utils import timezone

from keys import services as keys
from keys.models import Agent, Allocation, Charge, CostCentre, Rotation
from tests.actors import ACTOR
from tests.flows.processes import Processes
from tests.keys.builders import PAID, add_key, limit, make_people
from tests.queue import drain_queue

KILLS = int(os.environ.get("BUTLER_KILLS", "3"))
SECONDS = float(os.environ.get("BUTLER_KILL_SECONDS", "3"))
CLIENTS = 6


class Client:
    """An agent that repeats what got no answer under the same idempotency key, and keeps a diary.

    `accepted`: what was answered with 2xx, by idempotency key, as (path, answer).
    """

    def __init__(self, url: str, token: str, number: int) -> None:
        self.url, self.token, self.dice = f"{url}/api/v1", token, random.Random(number)
        self.accepted: dict[str, tuple[str, dict]] = {}
        self.statuses: Counter = Counter()
        self.sent = 0
        self.number = number

    def work(self, stop: threading.Event) -> "Client":
        """Sessions, one after the other, until it is told to stop."""
        while not stop.is_set():
            lent = self.post("/allocations", tokens=self.dice.randrange(2_000, 20_000))
            if lent:
                self._session(f"/allocations/{lent['session_id']}", lent["allocated"])
        return self

    def post(self, path: str, **fields: object) -> dict | None:
        """Send until there is an answer; its body, or None when it is a refusal."""
        self.sent += 1
        key = f"client-{self.number}-{self.sent}"
        while True:
            status, body = self._once(path, key, fields)
            self.statuses[status] += 1
            if status in (200, 201):
                self.accepted[key] = (path, body)
                return body
            if status and status < 500:
                return None
            time.sleep(0.1)

    def _session(self, path: str, allocated: int) -> None:
        for _ in range(self.dice.randrange(1, 6)):
            self.post(f"{path}/usage", input_tokens=self.dice.randrange(allocated // 3))
        if self.dice.random() < 0.3:
            self.post(f"{path}/rotation")
        if self.dice.random() < 0.1:
            refusal = {"status": 429, "retry_after_seconds": 1}
            self.post(f"/keys/key-{self.dice.randrange(4)}/refusal", **refusal)
        if self.dice.random() < 0.8:
            self.post(f"{path}/completion")

    def _once(self, path, key, fields) -> tuple[int | None, dict | None]:
        request = urllib.request.Request(  # noqa: S310 - our own server
            self.url + path,
            json.dumps(fields).encode(),
            {
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                "Idempotency-Key": key,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, None
        except (OSError, ValueError, EOFError, HTTPException):
            return None, None


@pytest.fixture
def processes():
    """Butler's processes; none is left after the test."""
    started = Processes()
    yield started
    started.kill_all()


@pytest.fixture
def tokens(transactional_db):
    """Four keys at two prices under limits, and the tokens of three agents."""
    make_people()
    for number in range(4):
        rates = {"rates": PAID} if number % 2 else {}
        add_key(f"key-{number}", per_day=50_000_000, priority=number % 2, **rates)
    limit(CostCentre.objects.get(pk="org"), 5_000, unit="usd", period="month")
    call_command("install_schedules", verbosity=0)
    return [
        keys.issue_token(agent, scopes=["spend", "operate"], actor=ACTOR, now=timezone.now())[1]
        for agent in Agent.objects.all()
    ]


@pytest.mark.slow
@pytest.mark.xdist_group("races")
def test_nothing_accepted_is_lost_and_the_books_balance_after_every_kill(tokens, processes):
    processes.start()
    stop = threading.Event()
    clients = [Client(processes.url, tokens[n % len(tokens)], n) for n in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as threads:
        diaries = [threads.submit(client.work, stop) for client in clients]
        try:
            for number in range(KILLS):
                time.sleep(SECONDS)
                if number % 3 == 1:
                    processes.kill_one(number)
                else:
                    processes.kill_all()
                    processes.start()
                call_command("check_books", verbosity=0)
            time.sleep(SECONDS)
        finally:
            stop.set()
    processes.kill_all()
    drain_queue()
    call_command("check_books", verbosity=0)
    clients = [diary.result() for diary in diaries]
    statuses = sum((client.statuses for client in clients), Counter())
    assert not [status for status in statuses if status and status >= 500]
    assert statuses[None], "no request was interrupted: nothing was tested"
    assert statuses[201] > 50, f"too little load: {statuses}"
    for client in clients:
        for key, (path, answer) in client.accepted.items():
            assert_kept(key, path, answer)
    assert_nothing_twice(clients)


def assert_kept(key: str, path: str, answer: dict) -> None:
    """What the answer said is in the database once."""
    if path == "/allocations":
        allocation = Allocation.objects.get(idempotency_key=key)
        assert allocation.session_id == answer["session_id"]
    elif path.endswith("/usage"):
        charge = Charge.objects.get(idempotency_key=key)
        assert (charge.pk, charge.tokens) == (answer["charge_id"], answer["tokens"])
    elif path.endswith("/rotation"):
        session = Allocation.objects.get(session_id=path.split("/")[2])
        assert session.rotations.filter(to_key=answer["to_key_id"]).exists()
    elif path.endswith("/completion"):
        assert Allocation.objects.get(session_id=path.split("/")[2]).status == "completed"


def assert_nothing_twice(clients: list[Client]) -> None:
    """Every row is of a request that was answered, or of one that was the last of its client."""
    accepted = {key for client in clients for key in client.accepted}
    for rows in (Allocation, Charge, Rotation):
        found = Counter(
            rows.objects.exclude(idempotency_key=None).values_list("idempotency_key", flat=True)
        )
        assert set(found.values()) <= {1}
        assert set(found) <= accepted
