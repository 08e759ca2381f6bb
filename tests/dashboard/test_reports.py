"""The page Reports: saved views and notes, each for those who may see and change them."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.template import Context, Template
from django.test import Client

from gate.models import CentreBinding
from reports.models import DateNote, SavedView

pytestmark = pytest.mark.django_db


def signed_in(name, role="finance", *centres):
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.groups.set(Group.objects.filter(name=role))
    for centre in centres:
        CentreBinding.objects.create(person=user, cost_centre_id=centre)
    client = Client()
    client.force_login(user)
    return client


def save(client, **changes):
    form = {"page": "overview", "query": "by=agent&format=csv&after=50", "name": "by agent"}
    return client.post("/reports/views", form | changes, follow=True)


def page(client):
    return client.get("/reports").content.decode()


def test_an_empty_page_says_what_will_be_here():
    shown = page(signed_in("vera"))
    assert "No saved views yet" in shown and "more than 5,000 rows" in shown


def test_a_view_is_saved_renamed_shared_and_deleted():
    vera, bob = signed_in("vera"), signed_in("bob")
    answer = save(vera)
    assert answer.redirect_chain == [("/?by=agent", 302)]
    view = SavedView.objects.get()
    assert "by agent" in page(vera) and "by agent" not in page(bob)
    vera.post(f"/reports/views/{view.pk}", {"name": "agents", "is_shared": "on"})
    assert "shared by vera" in page(bob)
    for path in (f"/reports/views/{view.pk}", f"/reports/views/{view.pk}/deletion"):
        assert bob.post(path, {"name": "mine now"}).status_code == 404
    vera.post(f"/reports/views/{view.pk}/deletion")
    assert not SavedView.objects.exists()


@pytest.mark.parametrize(
    "form",
    [
        {"name": ""},
        {"name": "a" * 101},
        {"page": "unicorn"},
        {"page": "key"},
        {"query": "a" * 2_001},
    ],
)
def test_a_view_that_cannot_be_is_refused(form):
    answer = save(signed_in("vera"), **form)
    assert 'class="message error"' in answer.content.decode()
    assert not SavedView.objects.exists()


def test_a_name_that_is_taken_is_refused():
    vera = signed_in("vera")
    save(vera)
    assert "You already have a view named by agent" in save(vera).content.decode()


def test_a_note_is_added_and_deleted():
    vera = signed_in("vera")
    vera.post("/reports/notes", {"noted_on": "2026-03-10", "text": "Prices <rose>"})
    assert "Prices &lt;rose&gt;" in page(vera)
    vera.post(f"/reports/notes/{DateNote.objects.get().pk}/deletion")
    assert not DateNote.objects.exists()


@pytest.mark.parametrize("day", ["", "yesterday", "0001-01-01", "9999-12-31", "2026-02-30"])
def test_a_note_on_no_day_is_refused(day):
    answer = signed_in("vera").post("/reports/notes", {"noted_on": day, "text": "x"}, follow=True)
    assert "The note is not added." in answer.content.decode()


def test_people_of_one_cost_centre_read_notes_and_write_none(people):
    signed_in("vera").post("/reports/notes", {"noted_on": "2026-03-10", "text": "Prices rose"})
    ruth = signed_in("ruth", "finance", "research")
    assert "Prices rose" in page(ruth) and "Add the note" not in page(ruth)
    note = {"noted_on": "2026-03-10", "text": "x"}
    assert ruth.post("/reports/notes", note).status_code == 403
    assert ruth.post(f"/reports/notes/{DateNote.objects.get().pk}/deletion").status_code == 403


def test_a_page_offers_its_views(rf):
    save(signed_in("vera"))
    request = rf.get("/?by=agent")
    request.user = get_user_model().objects.get()
    template = '{% load reports %}{% saved_views "overview" %}'
    shown = Template(template).render(Context({"request": request}))
    assert '<a href="/?by=agent" aria-current="true">by agent</a>' in shown
    assert 'name="query" value="by=agent"' in shown
