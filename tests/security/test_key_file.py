"""Where the sealing keys come from."""

import base64
import json
import os
import stat
import subprocess
import sys
import time

import pytest
from django.test import override_settings

from security import checks, keyring_file, keyring_sources, tokens, vault
from security.keyring import KeyringUnusable

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
PEPPER = "p" * 32


def test_the_file_is_made_on_first_use_for_its_owner_only(key_file):
    umask = os.umask(0)
    try:
        vault.seal("secret", context="row")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert [path.name for path in key_file.parent.iterdir()] == [key_file.name]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620])
def test_a_file_open_to_others_is_refused_with_what_to_do(key_file, mode):
    keyring_sources.current()
    key_file.chmod(mode)
    with pytest.raises(KeyringUnusable, match=f"mode {mode:04o}.*chmod 600"):
        keyring_sources.current()


def test_a_file_that_cannot_be_read_is_refused_with_what_to_do(key_file):
    """O58: for example one that root made in the folder of another user."""
    key_file.mkdir(mode=0o700, parents=True)
    with pytest.raises(KeyringUnusable, match="cannot be read .*as the user to whom it belongs"):
        keyring_sources.current()


def test_a_file_that_only_its_owner_may_read_is_fine(key_file):
    key_id = keyring_sources.current().sealing_id
    key_file.chmod(0o400)
    assert keyring_sources.current().sealing_id == key_id


@pytest.mark.parametrize(
    "change",
    [
        {"keys": []},
        {"keys": [{"id": "k1"}]},
        {"keys": [{"id": "k1", "key": "c2hvcnQ=", "retired_at": None}]},
        {"keys": [{"id": "k1", "key": "not base64!", "retired_at": None}]},
        {"keys": [{"id": "a b", "key": OLD, "retired_at": None}]},
        {"keys": [{"id": "k1", "key": OLD, "retired_at": "yesterday"}]},
        {"keys": [{"id": "k1", "key": OLD, "retired_at": None}] * 2},
        {"keys": 7},
        {"pepper": "short"},
        {"pepper": None},
    ],
)
def test_a_malformed_file_is_refused_and_not_replaced(key_file, change):
    keyring_sources.current()
    content = json.loads(key_file.read_text()) | change
    key_file.write_text(json.dumps(content))
    with pytest.raises(KeyringUnusable, match="malformed") as refused:
        keyring_sources.current()
    assert OLD not in str(refused.value)
    assert json.loads(key_file.read_text()) == content
    assert [problem.id for problem in checks.check_keys()] == ["butler.E022"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_file_without_a_keyring_is_refused(key_file, text):
    key_file.touch(mode=0o600)
    key_file.write_text(text)
    with pytest.raises(KeyringUnusable, match="malformed"):
        vault.seal("secret", context="row")


def test_a_file_that_vanished_is_not_silently_created_again(key_file):
    keyring_sources.current()
    key_file.unlink()
    with pytest.raises(KeyringUnusable, match="vanished"):
        keyring_sources.current()
    assert not key_file.exists()


def test_a_running_process_sees_the_keys_of_a_rekey(key_file):
    old = keyring_sources.current()
    with keyring_file.lock(key_file):
        keyring_file.replace(key_file, old.open_rekey())
    assert keyring_sources.current().sealing_id != old.sealing_id
    assert keyring_sources.current().cipher(old.sealing_id)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


def test_only_one_changes_the_file_at_a_time(key_file):
    with (
        keyring_file.lock(key_file),
        pytest.raises(keyring_file.VaultBusy),
        keyring_file.lock(key_file),
    ):
        pass


def test_processes_that_make_the_file_at_the_same_time_agree(key_file):
    program = (
        "import sys, time; from pathlib import Path; from security import keyring_file;"
        "time.sleep(max(0, float(sys.argv[2]) - time.time()));"
        "ring = keyring_file.read(Path(sys.argv[1])); print(ring.sealing_id, ring.pepper)"
    )
    start = str(time.time() + 1.5)
    processes = [
        subprocess.Popen([sys.executable, "-c", program, key_file, start], stdout=subprocess.PIPE)
        for _ in range(6)
    ]
    answers = {process.communicate()[0] for process in processes}
    ring = keyring_sources.current()
    assert answers == {f"{ring.sealing_id} {ring.pepper}\n".encode()}
    assert [path.name for path in key_file.parent.iterdir()] == [key_file.name]


def test_keys_of_the_environment_are_used_and_no_file_is_made(key_file):
    with override_settings(VAULT_KEYS=[f"old:{OLD}"], TOKEN_PEPPER=PEPPER):
        sealed = vault.seal("secret", context="row")
    with override_settings(VAULT_KEYS=[f"new:{NEW}", f"old:{OLD}"], TOKEN_PEPPER=PEPPER):
        assert vault.unseal(sealed, context="row") == "secret"
        assert vault.key_id_of(vault.seal("secret", context="row")) == "new"
    assert not key_file.exists()


@pytest.mark.parametrize(
    ("keys", "pepper"),
    [
        ([OLD], PEPPER),
        (["old:short"], PEPPER),
        (["old:not base64"], PEPPER),
        ([f"{OLD}:old"], PEPPER),
        ([f"old:{OLD}", f"old:{NEW}"], PEPPER),
        ([f"old:{OLD}"], ""),
        ([f"old:{OLD}"], "short"),
    ],
)
def test_unusable_keys_of_the_environment_are_refused_and_not_shown(keys, pepper):
    with override_settings(VAULT_KEYS=keys, TOKEN_PEPPER=pepper):
        with pytest.raises(KeyringUnusable, match="BUTLER_VAULT_KEYS as id:base64") as refused:
            vault.seal("secret", context="row")
        assert OLD not in str(refused.value)
        assert [problem.id for problem in checks.check_keys()] == ["butler.E022"]


def test_a_file_moved_to_the_environment_reads_the_same_secrets_and_tokens(key_file):
    sealed, token = vault.seal("secret", context="row"), tokens.derive_token("bs", "ada")
    content = json.loads(key_file.read_text())
    pairs = [f"{key['id']}:{key['key']}" for key in content["keys"]]
    with override_settings(VAULT_KEYS=pairs, TOKEN_PEPPER=content["pepper"]):
        assert vault.unseal(sealed, context="row") == "secret"
        assert tokens.verify_derived(token, "bs") == "ada"


def test_keys_do_not_show_themselves():
    ring = keyring_sources.current()
    assert ring.pepper not in repr(ring)
    assert str(ring.keys[0].secret) not in repr(ring)


def test_the_check_of_the_keys_makes_no_file(key_file):
    assert checks.check_keys() == []
    assert not key_file.exists()
