"""Tokens that agents show."""

import base64
import re
import time

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from security import keyring_file, keyring_sources, tokens
from security.keyring import KeyringUnusable

PUBLIC_IDS = st.from_regex(r"[A-Za-z0-9._-]{1,100}", fullmatch=True)


def test_a_new_token_has_its_shape_and_is_found_by_its_prefix():
    token, prefix, digest = tokens.new_token("bt")
    assert re.fullmatch(r"bt_[a-z0-9]{8}_[A-Za-z0-9_-]{43}", token)
    assert tokens.lookup_prefix(token) == prefix == token[:11]
    assert tokens.matches(token, digest)
    assert len(digest) == 32


def test_new_tokens_differ():
    assert len({tokens.new_token("bt").token for _ in range(200)}) == 200


@given(st.text())
def test_any_other_text_does_not_match(text):
    assert not tokens.matches(text, tokens.keyed_hash("bt_the-token"))
    assert tokens.lookup_prefix(text) is None


def test_hostile_texts_are_simply_not_genuine():
    for text in ("", "bs_", "_" * 44, "bs__" + "A" * 43, "\ud800" * 60, "bs_ä_" + "A" * 43):
        assert tokens.verify_derived(text, "bs") is None
        assert not tokens.matches(text, b"0" * 32)


@given(PUBLIC_IDS)
def test_a_derived_token_is_the_same_each_time_and_speaks_for_its_id(public_id):
    token = tokens.derive_token("bs", public_id)
    assert token == tokens.derive_token("bs", public_id)
    assert tokens.verify_derived(token, "bs") == public_id


def test_no_character_of_a_derived_token_can_be_changed():
    token = tokens.derive_token("bs", "session-7")
    for place in range(len(token)):
        for other in "AB_":
            changed = token[:place] + other + token[place + 1 :]
            if changed != token:
                assert tokens.verify_derived(changed, "bs") is None
    assert tokens.verify_derived(token + "A", "bs") is None
    assert tokens.verify_derived(token[:-1], "bs") is None


def test_a_derived_token_of_one_kind_is_not_one_of_another_kind():
    token = tokens.derive_token("bs", "session-7")
    assert tokens.verify_derived(token, "bx") is None
    assert tokens.verify_derived("bx" + token[2:], "bx") is None


def test_a_derived_token_does_not_contain_its_keyed_hash():
    token = tokens.derive_token("bs", "session-7")
    hashed = base64.urlsafe_b64encode(tokens.keyed_hash("bs_session-7")).decode()
    assert token[-43:] != hashed[:43]


@pytest.mark.parametrize("public_id", ["", "a b", "ä", "a\n", "x" * 101])
def test_an_id_that_could_not_be_read_back_is_refused(public_id):
    with pytest.raises(ValueError, match="public id"):
        tokens.derive_token("bs", public_id)


def test_tokens_outlive_a_rekey(key_file):
    token, _, digest = tokens.new_token("bt")
    derived = tokens.derive_token("bs", "ada")
    with keyring_file.lock(key_file):
        keyring_file.replace(key_file, keyring_sources.current().open_rekey())
    tokens._peppers.cache_clear()
    assert tokens.matches(token, digest)
    assert tokens.verify_derived(derived, "bs") == "ada"


def test_another_pepper_makes_other_tokens():
    derived, digest = tokens.derive_token("bs", "ada"), tokens.keyed_hash("token")
    with override_settings(TOKEN_PEPPER="q" * 32):
        assert tokens.verify_derived(derived, "bs") is None
        assert tokens.keyed_hash("token") != digest


def test_a_pepper_that_is_too_short_is_refused():
    with (
        override_settings(TOKEN_PEPPER="short"),
        pytest.raises(KeyringUnusable, match="BUTLER_TOKEN_PEPPER"),
    ):
        tokens.keyed_hash("token")


def test_a_token_is_checked_in_well_under_a_tenth_of_a_millisecond():
    token = tokens.derive_token("bs", "session-7")
    rounds = 2_000
    begun = time.perf_counter()
    for _ in range(rounds):
        tokens.verify_derived(token, "bs")
        tokens.keyed_hash(token)
    assert (time.perf_counter() - begun) / rounds < 0.0002
