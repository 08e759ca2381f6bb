"""Several operators import the same files at the same moment."""

import pytest

from interchange import services as interchange
from interchange.models import ImportedState
from interchange.state_files import files
from keys.models import ApiKey
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.interchange.sample import DATA
from tests.moments import NOON


@pytest.mark.django_db(transaction=True)
def test_the_same_files_at_once_are_imported_once(at_once):
    def import_them(_number):
        state, api_keys = (files.read(DATA / name) for name in (files.STATE_FILE, files.KEYS_FILE))
        return interchange.import_state(state=state, api_keys=api_keys, actor=ACTOR, now=NOON)

    done = at_once(import_them, times=8)
    assert sorted(imported.again for imported in done) == [False] + [True] * 7
    assert (ApiKey.objects.count(), ImportedState.objects.count()) == (4, 1)
    assert_books_balance()
