"""The readiness probe: ready only if everything behind the process works."""

from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from butler_site import health
from security.models import UnsealedRow


@pytest.fixture
def queue():
    """A connection as the queue cluster's."""
    with connected(health.QUEUE_PROCESS) as cluster:
        yield cluster


@contextmanager
def connected(process):
    """A connection as this program has one."""
    options = connection.get_connection_params() | {"application_name": process, "autocommit": True}
    options = {name: options[name] for name in options if name not in ("cursor_factory", "context")}
    with psycopg.connect(**options) as spoken:
        spoken.execute("SELECT 1")
        yield spoken


def failed(response):
    """The names of the checks that failed."""
    return [name for name, result in response.json()["checks"].items() if result != "ok"]


@pytest.mark.django_db(transaction=True)
def test_the_probe_is_never_cached_and_only_read(client, queue):
    assert "no-store" in client.get("/readyz")["Cache-Control"]
    assert client.post("/readyz").status_code == 405


@pytest.mark.django_db(transaction=True)
def test_ready_when_database_migrations_and_queue_are(client, queue):
    response = client.get("/readyz")
    assert (response.status_code, failed(response)) == (200, [])


@pytest.mark.django_db(transaction=True)
def test_not_ready_without_a_queue(client):
    response = client.get("/readyz")
    assert (response.status_code, failed(response)) == (503, ["queue_alive"])


@pytest.mark.django_db(transaction=True)
def test_not_ready_when_the_queue_fell_silent(client, queue, monkeypatch):
    monkeypatch.setattr(health, "QUEUE_SILENCE_MAX", -health.QUEUE_SILENCE_MAX)
    assert failed(client.get("/readyz")) == ["queue_alive"]


@pytest.mark.django_db(transaction=True)
def test_task_workers_are_noted_and_decide_nothing(client, queue):
    without = client.get("/readyz")
    assert (without.status_code, without.json()["notes"]["task_workers"]) == (200, "absent")
    with connected(health.WORKER_PROCESS):
        assert client.get("/readyz").json()["notes"]["task_workers"] == "alive"


@pytest.mark.django_db(transaction=True)
def test_the_age_of_what_is_not_sealed_is_noted_and_decides_nothing(client, queue):
    def noted():
        response = client.get("/readyz")
        return response.status_code, response.json()["notes"]["unsealed_seconds"]

    assert noted() == (200, 0)
    UnsealedRow.objects.create(
        source="charge",
        row_id=1,
        queued_at=timezone.now() - timedelta(seconds=90, milliseconds=500),
    )
    assert noted() == (200, 90)


@pytest.mark.django_db(transaction=True)
def test_not_ready_while_a_migration_is_missing(client, queue):
    applied = MigrationRecorder(connection).migration_qs.filter(app="sessions", name="0001_initial")
    applied.delete()
    try:
        assert failed(client.get("/readyz")) == ["migrations_applied"]
    finally:
        MigrationRecorder(connection).record_applied("sessions", "0001_initial")


@pytest.mark.django_db(transaction=True)
def test_not_ready_while_the_database_takes_no_writes(client, queue):
    """O61."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        assert failed(client.get("/readyz")) == ["database_writable"]
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_not_ready_while_tables_cannot_grow(client, queue):
    """O61: a full disk, whose log of transactions still has files that were made before."""
    with connection.cursor() as cursor:
        cursor.execute("SET temp_file_limit = '512kB'")
    try:
        assert failed(client.get("/readyz")) == ["database_writable"]
    finally:
        connections.close_all()
    assert failed(client.get("/readyz")) == []


@pytest.mark.django_db(transaction=True)
def test_not_ready_when_the_database_is_away(client, monkeypatch):
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert failed(response) == ["database_writable", "migrations_applied", "queue_alive"]


@pytest.mark.django_db(transaction=True)
def test_the_same_moment_is_met_by_every_thread_on_its_own_connection(at_once):
    def own_process(number):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return cursor.fetchone()[0]

    assert len(set(at_once(own_process, times=200))) == 200
