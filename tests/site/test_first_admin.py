"""The sign-in that `up` prints works, or none is printed: after a restore, too."""

import pytest
from django.contrib.auth import get_user_model

from butler_site.first_admin import first_sign_in

pytestmark = pytest.mark.django_db


def restored(*, name, password):
    """As if a backup had replaced all accounts by this one."""
    users = get_user_model().objects
    users.all().delete()
    return users.create_superuser(name, password=password)


def test_the_first_start_prints_a_sign_in_that_works_and_so_does_the_next(tmp_path, client):
    file = tmp_path / "sign-in"
    printed = first_sign_in(file)
    assert first_sign_in(file) == printed
    name, password = printed.split(" / ")
    answer = client.post("/admin/login/", {"login": name, "password": password})
    assert answer.status_code == 302


@pytest.mark.parametrize("name", ["admin", "grace"])
def test_the_password_before_a_restore_is_not_printed(tmp_path, name):
    """O53."""
    file = tmp_path / "sign-in"
    first_sign_in(file)
    restored(name=name, password="of the backup")  # noqa: S106
    assert first_sign_in(file) is None


def test_the_password_of_the_backup_is_printed_if_its_file_was_copied_too(tmp_path):
    file = tmp_path / "sign-in"
    printed = first_sign_in(file)
    name, password = printed.split(" / ")
    restored(name=name, password=password)
    assert first_sign_in(file) == printed


def test_nothing_is_printed_of_an_administrator_who_is_none_any_more(tmp_path):
    file = tmp_path / "sign-in"
    first_sign_in(file)
    user = get_user_model().objects.get()
    user.is_superuser = False
    user.save()
    get_user_model().objects.create_superuser("grace", password="other")  # noqa: S106
    assert first_sign_in(file) is None


@pytest.mark.parametrize("left", [b"", b"admin\n", b"a b c\n", b"\xff\xfe"])
def test_a_file_that_is_not_what_was_written_stops_no_start(tmp_path, left):
    file = tmp_path / "sign-in"
    first_sign_in(file)
    file.write_bytes(left)
    assert first_sign_in(file) is None


def test_nothing_is_printed_of_an_administrator_who_is_switched_off(tmp_path):
    file = tmp_path / "sign-in"
    first_sign_in(file)
    get_user_model().objects.update(is_active=False)
    assert first_sign_in(file) is None


def test_a_backup_without_people_gets_a_new_administrator(tmp_path):
    file = tmp_path / "sign-in"
    first = first_sign_in(file)
    get_user_model().objects.all().delete()
    assert first_sign_in(file) not in (None, first)
    assert first_sign_in(file) == first_sign_in(file)
