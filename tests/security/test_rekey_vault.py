"""A rekey re-seals every secret and loses none."""

import base64
import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core import serializers
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from security import checks, keyring_file, keyring_sources, queries, services, vault
from security.fields import Sealed
from security.models import AuditEntry
from tests.actors import GRACE

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


def safe(model, slug="ada", secret="secret of ada", **changes):  # noqa: S107
    """A stored row with a sealed secret."""
    row = model(slug=slug, **changes)
    services.seal_into(row, "secret", secret)
    row.save()
    return row


def fleet(model, count):
    """Rows with different secrets."""
    return [safe(model, f"safe-{number}", f"secret {number}") for number in range(count)]


def damage(row):
    """Change the last byte of the row's sealed secret."""
    changed = bytearray(bytes(row.secret))
    changed[-1] ^= 1
    row.secret = Sealed(changed)
    row.save()
    return row


def secrets_of(model):
    """Slug to secret, of all rows."""
    return {row.slug: services.unseal_from(row, "secret") for row in model.objects.all()}


def key_ids(model):
    """Ids of the keys that sealed the rows."""
    return {vault.key_id_of(bytes(row.secret)) for row in model.objects.all()}


def vault_command(what):
    """Run the command; its two outputs and whether it succeeded."""
    out, err = StringIO(), StringIO()
    try:
        call_command("vault", what, stdout=out, stderr=err)
    except CommandError as failure:
        return out.getvalue(), err.getvalue() + str(failure), False
    return out.getvalue(), err.getvalue(), True


def test_every_secret_is_sealed_with_the_new_key_and_reads_as_before(safes, noon):
    fleet(safes, 5)
    before, old = secrets_of(safes), keyring_sources.current().sealing_id
    result = services.rekey_vault(actor=GRACE, now=noon)
    assert (result.resealed, result.resumed, result.unsealable) == (5, False, {})
    assert key_ids(safes) == {result.key_id} != {old}
    assert secrets_of(safes) == before


def test_the_old_key_is_retired_and_kept(safes, noon):
    old = keyring_sources.current().sealing_id
    services.rekey_vault(actor=GRACE, now=noon)
    new_key, old_key = keyring_sources.current().keys
    assert (new_key.retired_at, old_key.retired_at, old_key.id) == (None, noon, old)


def test_nothing_but_the_secret_of_a_row_is_written(safes, noon):
    safe(safes, note="as it was")
    services.rekey_vault(actor=GRACE, now=noon)
    assert safes.objects.get().note == "as it was"


def test_rows_without_a_secret_stay_without(safes, noon):
    safes.objects.create(slug="empty")
    assert services.rekey_vault(actor=GRACE, now=noon).resealed == 0
    assert safes.objects.get().secret is None


def test_an_interrupted_rekey_is_finished_with_the_key_it_has(safes, noon):
    fleet(safes, 5)
    seen = []

    def crash_at_the_third():
        seen.append(1)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        services.rekey_vault(actor=GRACE, now=noon, on_row=crash_at_the_third)
    assert keyring_sources.current().rekey_open
    assert [check.id for check in checks.check_keys()] == ["butler.W023"]
    key_id = keyring_sources.current().sealing_id
    result = services.rekey_vault(actor=GRACE, now=noon)
    assert (result.key_id, result.resumed, result.resealed) == (key_id, True, 2)
    assert len(keyring_sources.current().keys) == 2
    assert not keyring_sources.current().rekey_open
    assert services.rekey_vault(actor=GRACE, now=noon).key_id != key_id


def test_an_unreadable_secret_stays_and_is_listed_and_the_others_go_on(safes, noon):
    damaged = damage(fleet(safes, 3)[1])
    before = bytes(damaged.secret)
    out, err, succeeded = vault_command("rotate")
    damaged.refresh_from_db()
    assert bytes(damaged.secret) == before
    assert not succeeded
    assert "Re-sealed 2 secrets" in out
    assert "sealed_app.safe.secret:safe-1: the sealed value was changed" in err
    assert "left as they are: 1." in err
    assert [key.retired_at for key in keyring_sources.current().keys] == [None, None]


def test_an_unreadable_secret_does_not_keep_a_rekey_open(safes, noon):
    damage(safe(safes))
    first = services.rekey_vault(actor=GRACE, now=noon)
    assert services.rekey_vault(actor=GRACE, now=noon).key_id != first.key_id


def test_a_row_of_an_unknown_key_or_of_no_key_is_left_alone(safes, noon):
    row = safe(safes)
    for noise in (b"\x01\x03xyz" + b"0" * 40, b"noise", b""):
        safes.objects.filter(pk=row.pk).update(secret=Sealed(noise))
        assert len(services.rekey_vault(actor=GRACE, now=noon).unsealable) == 1
        assert bytes(safes.objects.get().secret) == noise


def test_secrets_swapped_between_rows_are_not_resealed(safes, noon):
    ada, bob = safe(safes, "ada", "secret of ada"), safe(safes, "bob", "secret of bob")
    ada.secret, bob.secret = bob.secret, ada.secret
    ada.save()
    bob.save()
    assert len(services.rekey_vault(actor=GRACE, now=noon).unsealable) == 2


def test_the_command_says_what_it_did(safes):
    fleet(safes, 3)
    out, _, succeeded = vault_command("rotate")
    assert (succeeded, "Re-sealed 3 secrets with key" in out) == (True, True)
    out, _, succeeded = vault_command("status")
    assert succeeded
    assert f"{keyring_sources.current().sealing_id:<12}        3 secrets  seals" in out
    assert "retired" in out


def test_the_status_fails_when_a_secret_is_unreadable_and_shows_no_content(safes):
    damage(safe(safes, secret="canary-in-the-coal-mine"))
    out, err, succeeded = vault_command("status")
    assert not succeeded
    assert "sealed_app.safe.secret:ada" in err
    assert "canary" not in out + err


def test_a_second_rekey_at_the_same_time_is_refused(safes, key_file):
    with keyring_file.lock(key_file):
        _, err, succeeded = vault_command("rotate")
    assert (succeeded, "Another process is changing the keys" in err) == (False, True)


def test_keys_of_the_environment_are_replaced_by_the_first(safes, key_file):
    with override_settings(VAULT_KEYS=[f"old:{OLD}"], TOKEN_PEPPER="p" * 32):
        fleet(safes, 3)
        before = secrets_of(safes)
    with override_settings(VAULT_KEYS=[f"new:{NEW}", f"old:{OLD}"], TOKEN_PEPPER="p" * 32):
        assert vault_command("rotate")[2]
    with override_settings(VAULT_KEYS=[f"new:{NEW}"], TOKEN_PEPPER="p" * 32):
        assert secrets_of(safes) == before
    assert not key_file.exists()


def test_pruning_removes_keys_retired_over_a_day_ago_that_no_row_uses(safes, noon):
    damaged = damage(safe(safes, "bob"))
    used = vault.key_id_of(bytes(damaged.secret))
    retired = services.rekey_vault(actor=GRACE, now=noon).key_id
    services.rekey_vault(actor=GRACE, now=noon)
    soon, later = noon.replace(day=noon.day + 1), noon.replace(day=noon.day + 2)
    assert services.prune_vault(actor=GRACE, now=soon) == []
    assert services.prune_vault(actor=GRACE, now=later) == [retired]
    assert used in {key.id for key in keyring_sources.current().keys}


def test_the_system_check_names_unreadable_rows(safes):
    fleet(safes, 2)
    assert checks.check_secrets(databases=["default"]) == []
    damage(safe(safes, "bob"))
    (warning,) = checks.check_secrets(databases=["default"])
    assert warning.id == "butler.W024"
    assert "sealed_app.safe.secret:bob" in warning.msg
    assert checks.check_secrets(databases=None) == []


def test_the_system_check_names_twenty_rows_and_counts_the_rest(safes):
    for row in fleet(safes, 23):
        damage(row)
    (warning,) = checks.check_secrets(databases=["default"])
    assert warning.msg.startswith("Sealed secrets that cannot be read: 23. sealed_app.safe.secret:")
    assert warning.msg.endswith("And 3 more.")


def test_the_system_check_is_silent_before_the_table_is_there(safes):
    safe(safes)
    with connection.schema_editor() as editor:
        editor.remove_field(safes, safes._meta.get_field("secret"))
    assert checks.check_secrets(databases=["default"]) == []
    with connection.schema_editor() as editor:
        editor.delete_model(safes)
    assert checks.check_secrets(databases=["default"]) == []
    with connection.schema_editor() as editor:
        editor.create_model(safes)


def test_pages_learn_which_rows_are_red_and_why(safes):
    good, bad = safe(safes, "ada"), damage(safe(safes, "bob"))
    (red,) = queries.unsealable(safes)
    assert (red.pk, red.place) == (bad.pk, "sealed_app.safe.secret:bob")
    assert queries.unsealable_reason(good, "secret") is None
    assert "was changed" in queries.unsealable_reason(bad, "secret")


def test_a_dump_of_the_database_has_no_sealed_bytes(safes):
    safe(safes)
    dump = serializers.serialize("json", safes.objects.all())
    assert json.loads(dump)[0]["fields"]["secret"] == "sealed"


def test_a_rekey_and_a_prune_are_in_the_audit_without_any_secret(safes, noon):
    for slug in ("one", "two"):
        row = safes(slug=slug)
        services.seal_into(row, "secret", "canary-4f1c")
        row.save()
    first = services.rekey_vault(actor=GRACE, now=noon)
    second = services.rekey_vault(actor=GRACE, now=noon)
    removed = services.prune_vault(actor=GRACE, now=noon + timedelta(days=2))
    for _ in range(2):
        services.prune_vault(actor=GRACE, now=noon + timedelta(days=2))
    entries = AuditEntry.objects.about("vault:keys").order_by("pk")
    counts = {"resumed": False, "resealed": 2, "unsealable": 0}
    assert [(entry.action, entry.actor, entry.after) for entry in entries] == [
        ("vault.rekey", "grace", {"key_id": first.key_id, **counts}),
        ("vault.rekey", "grace", {"key_id": second.key_id, **counts}),
        ("vault.prune", "grace", {"removed": removed}),
    ]
    assert "canary" not in str(list(entries.values()))
