"""`manage.py up`: prepare the database and the files, then run all of Butler until Ctrl-C."""

import logging
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import quote

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import BaseCommand, CommandError, call_command
from django.db import Error, OperationalError, connection

from butler_site import health
from butler_site.checks import unknown_variables
from butler_site.first_admin import first_sign_in
from common.embedded_postgres import EmbeddedPostgresFailed, require_own_data
from common.single_instance import AlreadyRunning, claim
from common.supervisor import Program, Supervisor
from keys.models import Agent

logger = logging.getLogger(__name__)

_DEMO_COMMANDS = ("load_demo_fleet", "load_demo_usage")
_DEMO_TASK_COMMAND = "load_demo_task"
_DEMO_TREASURY_COMMAND = "load_demo_treasury"


class Command(BaseCommand):
    """Run database, web server, queue, task workers, sandbox provider and simulator of payments."""

    help = "Prepare the database and the files, and run Butler until Ctrl-C."
    # The checks run with the migrations, when the database is there.
    requires_system_checks = []

    def handle(self, *args: object, **options: object) -> None:
        """Prepare what is missing, then supervise the programs."""
        self._require_folder()
        self._claim()
        self._require_free_port()
        with _database_needed():
            self._prepare_database()
            self._prepare_files()
        connection.close()
        programs, variables = _programs()
        self._environ = environ() | variables
        supervisor = Supervisor(programs, environ=self._environ, say=self._say)
        with _told(variables):
            supervisor.run(ready=_web_server_ready, announce=self._announce)
        self._say("Butler has stopped.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _require_folder(self) -> None:
        folder = settings.VAR_DIR
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise CommandError(
                f"{folder} cannot be written to ({os.strerror(error.errno or 0)}): give this user "
                "the right to, or set BUTLER_VAR_DIR to another folder."
            ) from None

        if embedded := settings.DATABASES["default"].get("EMBEDDED_FOLDER"):
            try:
                require_own_data(embedded)
            except EmbeddedPostgresFailed as error:
                raise CommandError(str(error)) from None

    def _claim(self) -> None:
        try:
            claim(settings.VAR_DIR / "up.lock")
        except AlreadyRunning as running:
            raise CommandError(
                f"Butler already runs from {settings.VAR_DIR} (process {running.pid}): "
                "stop it there with Ctrl-C, or set BUTLER_VAR_DIR to start another one."
            ) from None

    def _require_free_port(self) -> None:
        family = socket.AF_INET6 if ":" in settings.BIND else socket.AF_INET
        try:
            with socket.create_server((settings.BIND, settings.PORT), family=family):
                pass
        except OSError as error:
            # Numbers below 0 are those of a name that cannot be resolved.
            if (error.errno or 0) < 0:
                raise CommandError(
                    f"BUTLER_BIND is {settings.BIND!r}, which is no address of this machine: write "
                    "an IP address, such as 127.0.0.1, 0.0.0.0 or ::1."
                ) from None
            raise CommandError(
                f"Port {settings.PORT} of {settings.BIND} cannot be used "
                f"({os.strerror(error.errno or 0)}): choose another one, "
                f"for example PORT={8123 if settings.PORT != 8123 else 8124} make up."
            ) from None

    def _prepare_database(self) -> None:
        if not health.migrations_applied():
            self._say("Bringing the tables up to date …")
            call_command("migrate", interactive=False, verbosity=0)
        call_command("install_schedules", verbosity=0)

    def _prepare_files(self) -> None:
        if settings.PRODUCTION:
            call_command("collectstatic", interactive=False, verbosity=0)
            return
        marker = settings.VAR_DIR / "demo-fleet-loaded"
        if not marker.exists() and not _is_in_use():
            self._say("Loading the demo fleet and 60 days of made-up usage …")
            for name in _DEMO_COMMANDS:
                call_command(name, verbosity=0)
            self._demo_task_marker.touch()
            self._demo_treasury_marker.touch()
            marker.touch()

    def _announce(self) -> None:
        sign_in = None if settings.PRODUCTION else first_sign_in(settings.VAR_DIR / "sign-in")
        first_task = self._submit_first_task()
        self._load_demo_treasury()
        connection.close()
        own_account = "with your own account (manage.py createsuperuser creates one)"
        demo_account = f"{sign_in}   (kept in {settings.VAR_DIR / 'sign-in'})"
        self._say(
            "\nButler is running.\n"
            f"  Dashboard  {settings.PUBLIC_URL}/\n"
            f"  Admin      {settings.PUBLIC_URL}/admin/\n"
            f"  API        {settings.PUBLIC_URL}/api/v1/\n"
            f"  Gateway    {settings.PUBLIC_URL}/v1 (Anthropic's clients: without the /v1)\n"
            f"  Sign in    {demo_account if sign_in else own_account}\n"
            f"{first_task}"
            f"{_sentences(unknown_variables())}"
            "Ctrl-C stops it.\n"
        )

    @property
    def _demo_task_marker(self) -> Path:
        """A file that exists after the demo fleet was loaded, until its task is submitted."""
        return settings.VAR_DIR / "demo-task-due"

    @property
    def _demo_treasury_marker(self) -> Path:
        """A file that exists after the demo fleet was loaded, until its treasury is set up."""
        return settings.VAR_DIR / "demo-treasury-due"

    def _load_demo_treasury(self) -> None:
        """Set up the demo fleet's treasury, once the simulator of payments runs."""
        if settings.PRODUCTION or not self._demo_treasury_marker.exists():
            return
        # A program of its own, which knows the address of the simulator.
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), _DEMO_TREASURY_COMMAND]
        done = subprocess.run(  # noqa: S603 - a command of ours
            [*command, "--verbosity", "0"], env=self._environ, check=False
        )
        if done.returncode:
            logger.warning("The treasury of the demo fleet was not set up.")
        self._demo_treasury_marker.unlink()

    def _submit_first_task(self) -> str:
        """Submit the demo fleet's task, once the gateway runs; return the announcement's line."""
        if settings.PRODUCTION or not self._demo_task_marker.exists():
            return ""
        try:
            call_command(_DEMO_TASK_COMMAND, verbosity=0)
        except CommandError as error:
            logger.warning("The first task was not submitted: %s", error)
            return ""
        finally:
            self._demo_task_marker.unlink()
        return "  First task runs now in the sandbox: see the dashboard\n"


def _is_in_use() -> bool:
    """Whether people and agents are here although this folder has loaded no demo fleet: a restored
    backup, or the database of another host. The first account is made after that fleet."""
    return User.objects.exists() and Agent.objects.exists()


@contextmanager
def _database_needed() -> Iterator[None]:
    """A server that is away, and a disk without room for what is prepared, are a sentence. An error
    of a statement is a bug."""
    try:
        connection.ensure_connection()
    except Error as error:
        raise _unusable(error) from None
    try:
        yield
    except OperationalError as error:
        raise _unusable(error) from None


def _unusable(error: Error) -> CommandError:
    return CommandError(f"The database cannot be used: {error}".strip())


@contextmanager
def _told(addresses: dict[str, str]) -> Iterator[None]:
    """Tell commands that run beside this one where its programs are: the settings read the file."""
    file = settings.VAR_DIR / "up.env"
    addresses = {"PORT": str(settings.PORT), "BUTLER_PUBLIC_URL": settings.PUBLIC_URL} | addresses
    try:
        file.write_text("".join(f"{name}={value}\n" for name, value in addresses.items()))
    except OSError as error:
        logger.warning("Commands beside this one do not know where it is: %s", error)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _sentences(sentences: list[str]) -> str:
    return "".join(f"  Attention  {sentence}\n" for sentence in sentences)


def _programs() -> tuple[list[Program], dict[str, str]]:
    """The programs to run, and the environment variables they need besides `environ`."""
    web = [sys.executable, *web_server(settings.BIND, settings.PORT)]
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
    programs = [
        Program("web server", web),
        Program("queue", [*manage, "qcluster"]),
        Program("task workers", [*manage, "work"]),
        Program("audit sealer", [*manage, "seal_audit"]),
    ]
    variables: dict[str, str] = {}
    if settings.PRODUCTION:
        return programs, variables
    if not settings.SIMULATOR_URL:
        port = str(_free_port())
        simulator = [sys.executable, "-m", "treasury.rails.simulator", "--port", port]
        simulator += ["--state", str(settings.VAR_DIR / "simulator.sqlite3")]
        programs.insert(0, Program("simulator of payments", simulator))
        variables["BUTLER_SIMULATOR_URL"] = f"http://127.0.0.1:{port}"
    if not settings.SANDBOX_URL:
        port = str(_free_port())
        sandbox = [sys.executable, "-m", "gateway.sandbox", "--port", port]
        programs.insert(0, Program("sandbox provider", sandbox))
        variables["BUTLER_SANDBOX_URL"] = f"http://127.0.0.1:{port}/v1"
    return programs, variables


def _free_port() -> int:
    """A port that is free now, so that two clones need only two ports of their own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def web_server(host: str, port: int) -> list[str]:
    """The arguments of the Python interpreter that start the web server."""
    web = ["-m", "butler_site.web_server", "butler_site.asgi:application"]
    web += ["--host", host, "--port", str(port)]
    web += ["--workers", str(settings.WEB_WORKERS), "--log-level", "warning", "--no-access-log"]
    # Headers of a proxy are handled in one place, by settings.BEHIND_PROXY.
    web += ["--no-proxy-headers"]
    web += [
        "--lifespan",
        "on",
        "--http",
        "butler_site.http_protocol:LimitedHttpProtocol",
        "--loop",
        "uvloop",
        "--ws",
        "none",
        "--no-server-header",
    ]
    # Calls in flight have 8 seconds to finish; after that, what they used so far is settled.
    web += ["--timeout-graceful-shutdown", "8"]
    # A worker that computes for seconds is busy, not dead; if it is killed, its calls are lost.
    return [*web, "--timeout-worker-healthcheck", "60"]


def environ() -> dict[str, str]:
    """The environment of the programs, with the URL of the database that this process uses."""
    return {
        # The memory of a large body goes back to the system with it. Otherwise glibc learns from
        # the first ones to keep it, in the heap of each thread.
        "MALLOC_MMAP_THRESHOLD_": "131072",
        **os.environ,
        "DATABASE_URL": os.environ.get("DATABASE_URL", "").strip() or _embedded_url(),
        "PYTHONPATH": str(settings.BASE_DIR),
        "PYTHONUNBUFFERED": "1",
    }


def _embedded_url() -> str:
    database = settings.DATABASES["default"]
    host = quote(database["HOST"], safe="/")
    return f"postgres://{database['USER']}@/{database['NAME']}?host={host}"


def _web_server_ready() -> bool:
    """Whether the web server answers, with any status."""
    host = f"[{settings.BIND}]" if ":" in settings.BIND else settings.BIND
    url = f"http://{host}:{settings.PORT}/healthz"
    try:
        urllib.request.urlopen(url, timeout=2).close()  # noqa: S310
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
