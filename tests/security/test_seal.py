"""Seal and unseal."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from security import keyring_sources, vault

ROW = "keys.apikey.secret:nvidia-1"
SECRET = "sk-canary-0123456789"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(plaintext=TEXTS, context=TEXTS)
@example(plaintext="", context="")
def test_what_was_sealed_unseals_in_its_place(plaintext, context):
    sealed = vault.seal(plaintext, context=context)
    assert vault.unseal(sealed, context=context) == plaintext


@given(here=TEXTS, there=TEXTS)
def test_a_sealed_value_moved_to_another_row_does_not_unseal(here, there):
    sealed = vault.seal(SECRET, context=here)
    if here != there:
        with pytest.raises(vault.CannotUnseal):
            vault.unseal(sealed, context=there)


def test_no_byte_of_a_sealed_value_can_be_changed():
    sealed = vault.seal(SECRET, context=ROW)
    for place in range(len(sealed)):
        changed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(vault.CannotUnseal):
            vault.unseal(changed, context=ROW)


def test_no_part_of_a_sealed_value_is_enough():
    sealed = vault.seal(SECRET, context=ROW)
    for length in range(len(sealed)):
        with pytest.raises(vault.CannotUnseal):
            vault.unseal(sealed[:length], context=ROW)


@given(st.binary(max_size=100))
@example(b"\x01\x00" + b"0" * 40)
@example(b"\x01\x03\xff\xff\xff" + b"0" * 40)
def test_what_was_never_sealed_is_refused_and_nothing_else_happens(noise):
    with pytest.raises(vault.CannotUnseal):
        vault.unseal(noise, context=ROW)


def test_sealing_twice_gives_different_bytes():
    assert vault.seal(SECRET, context=ROW) != vault.seal(SECRET, context=ROW)


def test_the_plaintext_is_not_in_the_sealed_value():
    assert SECRET.encode() not in vault.seal(SECRET, context=ROW)


def test_a_refusal_names_the_row_and_the_reason_and_no_content():
    sealed = vault.seal(SECRET, context=ROW)
    with pytest.raises(vault.CannotUnseal, match="belongs to another row") as refused:
        vault.unseal(sealed, context="keys.apikey.secret:nvidia-2")
    assert "nvidia-2" in str(refused.value)
    assert SECRET not in str(refused.value)


def test_an_unknown_key_is_named(key_file):
    key_id = keyring_sources.current().sealing_id
    sealed = vault.seal(SECRET, context=ROW)
    key_file.rename(key_file.with_name("elsewhere"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.VAULT_KEY_FILE", key_file.with_name("other"))
        with pytest.raises(vault.CannotUnseal, match=f"{key_id} is not in the keyring"):
            vault.unseal(sealed, context=ROW)


@given(content=st.binary(), context=TEXTS)
def test_content_sealed_with_a_key_of_its_own_unseals_in_its_place(content, context):
    key = vault.new_content_key()
    sealed = vault.seal_content(content, key=key, context=context)
    assert vault.unseal_content(sealed, key=key, context=context) == content


def test_content_changed_cut_moved_or_with_another_key_does_not_unseal():
    key = vault.new_content_key()
    content = SECRET.encode()
    sealed = vault.seal_content(content, key=key, context=ROW)
    assert content not in sealed
    assert sealed != vault.seal_content(content, key=key, context=ROW)
    flipped = [
        sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        for place in range(len(sealed))
    ]
    for changed in (*flipped, *(sealed[:length] for length in range(len(sealed)))):
        with pytest.raises(vault.CannotUnseal):
            vault.unseal_content(changed, key=key, context=ROW)
    for key_there, context_there in ((vault.new_content_key(), ROW), (key, f"{ROW}0")):
        with pytest.raises(vault.CannotUnseal, match=ROW):
            vault.unseal_content(sealed, key=key_there, context=context_there)
