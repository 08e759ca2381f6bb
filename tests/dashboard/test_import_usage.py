"""The page that imports usage of other systems."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from keys import services as keys
from keys.models import Charge
from tests.actors import ACTOR
from tests.keys.builders import add_key
from tests.moments import NOON

pytestmark = pytest.mark.django_db
PAGE = "/import-usage"
CSV = "date,agent,key,model,tokens,cost\n2026-01-05,Writer,production,m,1234567,0.5\n"
NAMES = {"agent": "Writer=ada\n", "key": "production=nvidia-1"}


@pytest.fixture(autouse=True)
def fleet():
    keys.ensure_cost_centre("research", name="Research", actor=ACTOR, now=NOON)
    keys.create_agent_without_limits("ada", cost_centre="research", actor=ACTOR, now=NOON)
    add_key("nvidia-1")


def sent(client, text=CSV, **more):
    file = SimpleUploadedFile("usage.csv", text.encode())
    answer = client.post(PAGE, {"file": file, **more}, follow=True)
    return answer, answer.content.decode()


def test_a_file_is_checked_and_then_imported(staff):
    _, text = sent(staff, check="1", **NAMES)
    assert "1 row can be imported" in text
    assert "1,234,567 tokens" in text
    assert not Charge.objects.exists()

    answer, text = sent(staff, **{"import": "1"}, **NAMES)
    assert answer.redirect_chain[-1][0] == "/reports"
    assert "Imported 1 row." in text
    assert Charge.objects.get().basis == "imported"
    _, text = sent(staff, check="1", **NAMES)
    assert "There is nothing new to import" in text
    assert (
        "imported: as another system recorded"
        in staff.get(f"/charges/{Charge.objects.get().pk}").content.decode()
    )


@pytest.mark.parametrize(
    ("text", "names", "said"),
    [
        (CSV, {}, "There is no API key production."),
        (CSV.replace("date", "when"), NAMES, "Say which column has the date"),
        (CSV, {**NAMES, "zone": "Mars/Base"}, "Mars/Base"),
        (CSV, {**NAMES, "column": "cost"}, "is not FIELD=HEADING."),
        ("\0", NAMES, "NUL"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_imported(staff, text, names, said):
    for button in ("check", "import"):
        assert said in sent(staff, text, **{button: "1"}, **names)[1]
    assert not Charge.objects.exists()


def test_the_page_of_reports_leads_to_it(staff):
    assert f'href="{PAGE}"' in staff.get("/reports").content.decode()
