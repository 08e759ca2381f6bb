"""Start everything, measure agents alone and with dashboards in turns, print what came of it."""

import argparse
import json
import statistics
import sys
from contextlib import ExitStack
from typing import TextIO

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
)
from django.contrib.auth.models import Permission
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections

from bench import server
from bench.gateway import cost, measure, report
from bench.gateway.load import Load
from bench.gateway.measure import Figures, Meter
from bench.hostile import rows
from bench.live.dashboards import Dashboards

# Each has a permission less than the one before.
_AUDIENCES = ("", "view_alert", "view_task", "view_apikey")
_STREAMS_OF_A_PERSON = 5
_CORE_MAX, _MEGABYTES_MAX, _FIRST_BYTE_MS_MAX, _RATIO_MAX = 0.5, 50, 100, 1.2
_CONNECTIONS = 20
_BODY = json.dumps(
    {
        "model": "any",
        "max_tokens": 60,
        "messages": [{"role": "user", "content": "[[sandbox output=20]] Who paid for March?"}],
    }
)


def _cookies(dashboards: int) -> list[str]:
    """The cookies of people, of whom each has some dashboards open."""
    permissions = Permission.objects.all()
    sessions = []
    for number in range(-(-dashboards // _STREAMS_OF_A_PERSON)):
        user = get_user_model().objects.create_user(f"staff-{number}", is_staff=True)
        lacking = _AUDIENCES[number % len(_AUDIENCES)]
        user.user_permissions.set(permissions.exclude(codename=lacking))
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        sessions += [str(session.session_key)] * _STREAMS_OF_A_PERSON
    return [f"{settings.SESSION_COOKIE_NAME}={each}" for each in sessions[:dashboards]]


class _Run:
    def __init__(
        self,
        options: argparse.Namespace,
        tokens: list[str],
        cookies: list[str],
        web: server.Server,
        meter: Meter,
    ) -> None:
        self._options, self._tokens, self._web, self._meter = options, tokens, web, meter
        # The name of the cookie has the port, which the web server is given.
        self._cookies = [each.replace(str(settings.PORT), str(web.port), 1) for each in cookies]

    def agents(self) -> Figures:
        """The calls of the agents for some seconds."""
        load = Load(
            port=self._web.port,
            path="/v1/chat/completions",
            body=_BODY,
            tokens=self._tokens,
            clients=_CONNECTIONS,
            per_second=self._options.per_second,
            seconds=self._options.seconds,
        )
        return self._meter.run(load, pid=self._web.pid)

    def with_dashboards(self) -> tuple[Figures, Dashboards, float]:
        """The same with dashboards, and the memory that they take, in MB."""
        before = cost.memory_mb(self._web.pid)
        with Dashboards(self._web.port, self._cookies).open() as dashboards:
            figures = self.agents()
            return figures, dashboards, cost.memory_mb(self._web.pid) - before


def run(options: argparse.Namespace, out: TextIO) -> None:
    """Measure in turns, and print each turn and what is promised beside what was reached."""
    tokens, cookies = rows.make([]).honest, _cookies(options.dashboards)
    connections.close_all()
    with ExitStack() as stack:
        port = server.free_port()
        provider = [sys.executable, "-m", "gateway.sandbox", "--port", str(port)]
        environ = {"BUTLER_SANDBOX_URL": f"http://127.0.0.1:{port}/v1"}
        stack.enter_context(server.serving(provider, port=port, probe="/healthz", environ={}))
        web = stack.enter_context(server.running(workers=options.workers, environ=environ))
        meter = stack.enter_context(measure.meter(cost.postgres_pid()))
        running = _Run(options, tokens, cookies, web, meter)
        # Pools and caches are filled.
        running.with_dashboards()
        rounds = []
        for _ in range(options.rounds):
            alone = running.agents()
            looked_at, dashboards, megabytes = running.with_dashboards()
            rounds.append((alone, looked_at, dashboards, megabytes))
            report.say(out, _line(options, alone, looked_at, dashboards, megabytes))
    report.say(out, *_goals(options, rounds))


def _line(
    options: argparse.Namespace,
    alone: Figures,
    looked_at: Figures,
    dashboards: Dashboards,
    megabytes: float,
) -> str:
    seconds = options.seconds
    return (
        f"agents alone {alone.measured.p50:.1f}/{alone.measured.p99:.1f} ms, with dashboards "
        f"{looked_at.measured.p50:.1f}/{looked_at.measured.p99:.1f} ms (p50/p99); failed "
        f"{alone.failed + looked_at.failed}; web {alone.spent.server / seconds:.2f} → "
        f"{looked_at.spent.server / seconds:.2f} cores, PostgreSQL "
        f"{alone.spent.postgres / seconds:.2f} → {looked_at.spent.postgres / seconds:.2f}; "
        f"{megabytes:+.0f} MB; {dashboards.messages / seconds / options.dashboards:.2f} messages "
        f"a second each, {dashboards.size / 2**20 / seconds:.1f} MB a second in all"
    )


def _goals(
    options: argparse.Namespace, rounds: list[tuple[Figures, Figures, Dashboards, float]]
) -> list[str]:
    seconds = options.seconds
    cores = statistics.median(
        (with_.spent.server - alone.spent.server) / seconds for alone, with_, _, _ in rounds
    )
    ratio = statistics.median(
        with_.measured.p99 / max(alone.measured.p99, 0.1) for alone, with_, _, _ in rounds
    )
    megabytes = max(each for _, _, _, each in rounds)
    first = sorted(ms for _, _, dashboards, _ in rounds for ms in dashboards.first_byte_ms)
    p95 = first[len(first) * 95 // 100]
    name = f"{options.dashboards} dashboards"
    return [
        report.goal(f"{name}: cores", f"< {_CORE_MAX}", f"{cores:.2f}", cores < _CORE_MAX),
        report.goal(
            f"{name}: memory",
            f"< {_MEGABYTES_MAX} MB",
            f"{megabytes:.0f} MB",
            megabytes < _MEGABYTES_MAX,
        ),
        report.goal(
            f"{name}: first byte, p95",
            f"< {_FIRST_BYTE_MS_MAX} ms",
            f"{p95:.0f} ms (p50 {first[len(first) // 2]:.0f} ms)",
            p95 < _FIRST_BYTE_MS_MAX,
        ),
        report.goal(
            f"{name}: p99 of the agents, with to alone",
            f"at most {_RATIO_MAX}",
            f"{ratio:.2f}",
            ratio <= _RATIO_MAX,
        ),
    ]
