"""A key that was never lent is hidden, and can be shown again."""

import pytest
from django.db import IntegrityError, transaction

from keys import services as keys
from keys.models import Allocation, ApiKey
from keys.refusals import ApiKeyNotFound, KeyWasUsed, NoKeyCapacity, WrongValue
from security.models import AuditEntry
from tests.actors import GRACE
from tests.keys.builders import add_key, allocate
from tests.moments import NOON

pytestmark = pytest.mark.django_db(transaction=True)


def hide(slug="typo-1", act=keys.hide_key):
    """Hide a key, or show it."""
    return act(slug, reason="mistyped", actor=GRACE, now=NOON)


@pytest.fixture
def typo(people):
    """A key that was never lent."""
    return add_key("typo-1")


def test_a_hidden_key_is_lent_no_more_and_shown_again_as_paused(typo):
    """O14."""
    hide()
    assert hide().hidden_at == NOON
    with pytest.raises(NoKeyCapacity):
        allocate()
    with pytest.raises(WrongValue):
        keys.set_key_status("typo-1", status="active", reason="on", actor=GRACE, now=NOON)
    hide(act=keys.show_key)
    hide(act=keys.show_key)
    shown = ApiKey.objects.get(pk="typo-1")
    assert (shown.hidden_at, shown.status) == (None, "inactive")
    actions = AuditEntry.objects.about("key:typo-1").values_list("action", flat=True)
    assert [each for each in actions if each in ("key.hide", "key.show")] == [
        "key.show",
        "key.hide",
    ]


def test_a_key_that_was_lent_is_not_hidden_also_not_by_the_database(typo):
    allocate()
    with pytest.raises(KeyWasUsed):
        hide()
    with pytest.raises(ApiKeyNotFound):
        hide("moon-1")
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.filter(pk="typo-1").update(hidden_at=NOON, status="inactive")


def test_a_hidden_key_is_never_active_by_the_database(typo):
    hide()
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.filter(pk="typo-1").update(status="active")


def test_a_key_is_hidden_or_lent_but_never_both(typo, at_once):
    answers = at_once(lambda number: allocate(tokens=10) if number else hide(), times=12)
    lent = [each for each in answers if isinstance(each, Allocation)]
    assert bool(lent) == isinstance(answers[0], KeyWasUsed)
    assert bool(lent) == (ApiKey.objects.get(pk="typo-1").hidden_at is None)
