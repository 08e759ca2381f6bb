"""The page that imports a list of API keys."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from keys.models import ApiKey

pytestmark = pytest.mark.django_db
PAGE = "/import-keys"
CSV = "key_id,provider,model,secret,usd_per_month\nopenai-1,openai,gpt-4.1-mini,sk-canary,20\n"


def sent(client, text, **more):
    file = SimpleUploadedFile("keys.csv", text.encode())
    return client.post(PAGE, {"file": file, **more}, follow=True)


def test_a_list_is_checked_and_then_added(staff):
    answer = sent(staff, CSV, check="1")
    text = answer.content.decode()
    assert "1 keys can be added" not in text
    assert "1 key can be added" in text
    assert "sk-canary" not in text
    assert not ApiKey.objects.exists()
    answer = sent(staff, CSV, add="1")
    assert answer.redirect_chain[-1][0] == "/keys"
    assert "Added 1 key." in answer.content.decode()
    assert ApiKey.objects.get().status == "active"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CSV.replace("openai,", "opnai,"), "Did you mean openai?"),
        (CSV.replace("provider", "provder"), "Did you mean provider?"),
        (CSV.replace(",20", ","), "There is no limit."),
        ("\0", "is no text"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_added(staff, text, said):
    for button in ("check", "add"):
        assert said in sent(staff, text, **{button: "1"}).content.decode()
    assert not ApiKey.objects.exists()


def test_what_keys_do_not_say_is_asked_on_the_page(staff):
    text = "OPENAI_API_KEY=sk-canary\n"
    assert "There is no model." in sent(staff, text, check="1").content.decode()
    assert "is not PROVIDER=MODEL" in sent(staff, text, check="1", models="gpt").content.decode()
    sent(staff, text, add="1", models="openai=gpt-4.1-mini", tokens_per_day="none")
    assert ApiKey.objects.get().model == "gpt-4.1-mini"


def test_the_page_of_keys_leads_to_it(staff):
    assert f'href="{PAGE}"' in staff.get("/keys").content.decode()
