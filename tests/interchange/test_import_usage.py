"""O16: usage that another system recorded is imported once, marked as imported."""

import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from common.file_text import UnreadableError
from interchange import services as interchange
from interchange.services import UsageNames, UsageSource
from interchange.state_files.files import MalformedFile
from interchange.usage_files import reading
from interchange.usage_files.dates import dates_of
from interchange.usage_files.matching import match
from keys import services as keys
from keys.books.queries import closed_usage
from keys.books.queries.closed_usage import ClosedPeriod
from keys.books.queries.spend import SpendFilter, spend_total
from keys.models import Allocation, Charge, Window
from reports.services import month_closes
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.interchange.emptied import forget_everything
from tests.interchange.exported import exported_documents
from tests.keys.builders import PAID, add_key, limit
from tests.moments import NOON
from tests.reports.closing import IN_APRIL, MARCH, WAIVED
from tests.threads import overtaken

DAYS = """Date,Team,App,Provider,Model,Prompt Tokens,Cached Tokens,Completion Tokens,Cost (USD)
2025-12-01,research,ada,nvidia,gpt-4o,"1,200,000",200000,40000,3.4012345678
2025-12-02,research,ada,nvidia,gpt-4o,900000,0,30000,2.55
2026-03-10,sales,carol,nvidia,model-1,1000,0,500,0.5
"""
CALLS = """\
request_id,startTime,custom_llm_provider,model,user,prompt_tokens,completion_tokens,tokens,spend
r-1,2026-02-01 08:00:00.123+00:00,nvidia,gpt-4o,ada,100,50,150,0.0012
r-2,2026-02-01 08:00:00.123+00:00,nvidia,gpt-4o,ada,100,50,150,0.0012
r-3,2026-02-01 08:00:01+00:00,nvidia,gpt-4o,ada,0,0,0,0
"""


@pytest.fixture
def fleet(db):
    research = keys.ensure_cost_centre("research", name="Research", actor=ACTOR, now=NOON)
    keys.ensure_cost_centre("sales", name="Sales", actor=ACTOR, now=NOON)
    for agent, centre in (("ada", "research"), ("carol", "sales")):
        keys.create_agent_without_limits(agent, cost_centre=centre, actor=ACTOR, now=NOON)
    add_key("nvidia-1", rates=PAID)
    limit(research, 10_000_000, period="month")


def imported(text, *, dry_run=False, name="usage.csv", **about):
    content = text if isinstance(text, bytes) else text.encode()
    source = UsageSource(name=name, content=content, **about)
    return interchange.import_usage(source, dry_run=dry_run, actor=ACTOR, now=NOON)


def problems(text, **about):
    outcome = imported(text, **about)
    assert not Charge.objects.exists()
    return [f"{where}: {problem} ×{rows}" for where, problem, rows in outcome.problems]


def test_sums_of_days_are_settled_charges_that_are_marked_as_imported(fleet):
    checked = imported(DAYS, dry_run=True)
    assert not Charge.objects.exists()

    outcome = imported(DAYS)

    assert outcome == checked
    assert (outcome.new, outcome.tokens, outcome.cost) == (3, 2_171_500, Decimal("6.451234568"))
    first = Charge.objects.order_by("settled_at").first()
    assert (first.status, first.basis, first.model) == ("settled", "imported", "gpt-4o")
    assert (first.input_tokens, first.cached_tokens, first.output_tokens) == (
        1200000,
        200000,
        40000,
    )
    # Rounded once, half up.
    assert first.cost == Decimal("3.401234568")
    assert first.settled_at == datetime(2025, 12, 1, 12, tzinfo=UTC)
    assert first.allocation.status_reason == "imported from usage.csv, line 2"
    which = SpendFilter(since=NOON - timedelta(days=100), until=NOON + timedelta(days=1))
    assert spend_total(which).cost == Decimal("6.451234568")
    assert_books_balance()


def test_what_is_of_the_present_period_counts_in_its_limits(fleet):
    imported(DAYS)

    used = dict(Window.objects.values_list("scope", "used"))
    # The row of today is the only one in the day of the key, and is of another cost centre.
    assert used == {"key:nvidia-1": 1500, "centre:research": 0}
    assert_books_balance()


@pytest.mark.parametrize("text", [DAYS, CALLS])
def test_a_row_is_imported_once_from_any_file(fleet, text):
    first = imported(text)
    lines = text.splitlines()
    for again in (
        text,
        text.replace("\n", "\r\n"),
        "\ufeff" + text,
        # Other order, other rows, other decimals, other columns.
        "\n".join([lines[0], *reversed(lines[1:])]),
        "\n".join(lines[:3]),
        text.replace("0.0012", "0.00120").replace("2.55", "2.550000"),
        "\n".join([lines[0] + ",Notes", *(line + ",x" for line in lines[1:])]),
    ):
        outcome = imported(again, name="again.csv")
        assert (outcome.new, outcome.problems) == (0, [])
    assert Charge.objects.count() == first.new
    more = imported(text + lines[1].replace("2025-12-01", "2025-12-03").replace("r-1", "r-4"))
    assert (more.new, more.there) == (1, first.new)
    assert_books_balance()


def test_rows_that_are_alike_are_as_many_as_the_file_has(fleet):
    lines = DAYS.splitlines()
    twice = "\n".join([*lines[:2], lines[1], lines[1]])

    assert imported(twice).new == 3
    assert imported(twice).new == 0
    # Of another file with one of them.
    assert imported("\n".join(lines[:2])).there == 1


def test_an_id_is_of_one_row(fleet):
    assert problems(CALLS.replace("r-2", "r-1")) == ["Line 3: Another row has the id r-1, too. ×1"]


def test_a_sum_that_has_grown_since_is_refused(fleet):
    imported(DAYS)

    outcome = imported(DAYS.replace("2.55", "3.10"))

    (problem,) = outcome.problems
    assert problem.where == "Line 3"
    assert "imported before with other figures" in problem.problem
    assert Charge.objects.count() == 3


def test_a_row_without_a_cost_counts_at_the_price_of_its_key(fleet):
    outcome = imported(
        "date,key_id,agent,model,input,output\n2026-01-05,nvidia-1,ada,model-1,1000,1000\n"
    )

    assert (outcome.priced, outcome.cost) == (1, Decimal("0.018"))


def test_cached_tokens_may_be_beside_the_input(fleet):
    imported(
        "usage_date_utc,api_key,agent,model,usage_input_tokens_no_cache,"
        "usage_input_tokens_cache_read,usage_output_tokens,cost\n"
        "2026-01-05,nvidia-1,ada,claude,100,900,10,0.1"
    )

    charge = Charge.objects.get()
    assert (charge.input_tokens, charge.cached_tokens, charge.tokens) == (1000, 900, 1010)


@pytest.mark.parametrize(
    ("text", "about", "said"),
    [
        (
            DAYS.replace(",ada,", ",adda,"),
            {},
            "Line 2: There is no agent adda. Did you mean ada? "
            "Add it, or say what it is called in Butler: --agent adda=NAME. ×2",
        ),
        (DAYS.replace("sales", "slaes"), {}, "There is no cost centre slaes. Did you mean sales?"),
        (
            DAYS.replace(",nvidia,", ",openai,"),
            {},
            "openai has no API keys. Say which one: --key openai=NAME. ×3",
        ),
        (DAYS, {"names": UsageNames(api_keys={"nvidia": "nvidia-9"})}, "no API key nvidia-9"),
        ("date,agent,cost\n2026-01-01,ada,1", {}, "names no API key. Say which one it is: --key"),
        (
            "date,key,cost\n2026-01-01,nvidia-1,1",
            {},
            "names no agent. Say which one it is: --agent",
        ),
        (DAYS.replace("2026-03-10", "2026-03-11"), {}, "Line 4: 2026-03-11 is in the future."),
        (DAYS.replace("2026-03-10", "2026-02"), {}, "2026-02 is a month. Give a day"),
        (
            DAYS.replace("2026-03-10", "yesterday"),
            {},
            "'yesterday' is no date that Butler can read",
        ),
        (DAYS.replace("2026-03-10", "2026-02-30"), {}, "'2026-02-30' is no date"),
        (DAYS.replace("2026-03-10", "03/04/2026"), {}, "two readings. Say dates=day-first or"),
        (DAYS.replace("0.5", "-0.5"), {}, "A cost of -0.5 is not from 0 to"),
        (DAYS.replace("0.5", "n/a"), {}, "'n/a' is no number, as cost."),
        (DAYS.replace("1000,0,500", "10.5,0,500"), {}, "input_tokens must be a whole number"),
        (DAYS.replace("1000,0,500", "1000,2000,500"), {}, "it is uncached_tokens=HEADING"),
        (
            DAYS.replace("model-1,1000,0,500,0.5", "gpt-9,1000,0,500,"),
            {},
            "the API key nvidia-1 no price for the model gpt-9",
        ),
        ("date,key,agent,cost,currency\n2026-01-01,nvidia-1,ada,1,EUR", {}, "The cost is in EUR."),
    ],
)
def test_a_row_that_is_not_clear_is_asked_about_and_nothing_is_written(fleet, text, about, said):
    assert said in " ".join(problems(text, **about))


def test_a_secret_is_not_repeated(fleet):
    secret = "sk-" + "proj-aBcD1234efGh5678ijKl"
    text = (
        "date,key,agent,model,cost\n"
        f"2026-01-01,{secret},ada,m,1\n2026-01-01,nvidia-1,ada,{secret},1"
    )

    found = " ".join(problems(text))

    assert "sk-[redacted]" in found
    assert "aBcD1234" not in found
    assert "model looks like a secret" in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "which column has the date"),
        ("agent,cost\nada,1", "which column has the date of each row, such as date=Day"),
        ("date,agent\n2026-01-01,ada", "which column has the tokens or the cost"),
        ("date,day,cost\n1,2,3", "Both date and day may be the date"),
        ("date,cost\n2026-01-01", "Line 2 has 1 cells"),
        ('date,cost\n2026-01-01,"1,234"', "'1,234' may have thousands or decimals"),
        ("date,date,cost\n", "Two columns of the file have the same heading"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        (b"PK\x03\x04\0\0", "NUL"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(fleet, text, said):
    with pytest.raises(MalformedFile) as refused:
        imported(text)
    assert said in refused.value.detail


def test_a_heading_may_have_the_sign_of_an_assignment():
    assert interchange.columns_from(["cost = Net = USD"]) == {"cost": "Net = USD"}


def test_headings_and_numbers_can_be_said(fleet):
    outcome = imported(
        "Tag;Wer;Was;Schlüssel;Kosten\n1.2.2026;x;1.234;y;0,50\n",
        columns={
            "date": "Tag",
            "agent": "Wer",
            "tokens": "Was",
            "key_id": "Schlüssel",
            "cost": "Kosten",
        },
        names=UsageNames(api_keys={"y": "nvidia-1"}, agents={"x": "ada"}),
    )

    assert (outcome.tokens, outcome.cost) == (1234, Decimal("0.5"))
    with pytest.raises(MalformedFile, match="no column Datum"):
        imported("Tag,cost\n", columns={"date": "Datum"})
    with pytest.raises(MalformedFile, match="There is no field dat"):
        imported("Tag,cost,date\n", columns={"dat": "Tag"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-07-31", "2026-07-31 10:00"),
        ("2026/7/31", "2026-07-31 10:00"),
        ("31.07.2026", "2026-07-31 10:00"),
        ("7/31/2026", "2026-07-31 10:00"),
        ("20260731", "2026-07-31 10:00"),
        # Midnight of any zone is a sum of a day.
        ("2026-07-31T00:00:00Z", "2026-07-31 10:00"),
        ("2026-07-31 00:00:00 UTC", "2026-07-31 10:00"),
        ("1785456000", "2026-07-31 10:00"),
        ("2026-07-31T14:05:00Z", "2026-07-31 14:05"),
        ("2026-07-31 14:05", "2026-07-31 12:05"),
        ("7/31/2026 14:05:30", "2026-07-31 12:05:30"),
        ("2026-07-31 14:05:00.5+05:30", "2026-07-31 08:35:00.500000"),
        ("1785463200", "2026-07-31 02:00"),
        ("1785463200250", "2026-07-31 02:00:00.250000"),
    ],
)
def test_dates_are_read_as_programs_and_people_write_them(text, expected):
    found = dates_of([text], zone=ZoneInfo("Europe/Berlin")).when(text)
    assert found.at == datetime.fromisoformat(f"{expected}+00:00")


def test_one_date_tells_the_order_of_all():
    cells = ["03/04/2026", "03/25/2026"]
    assert dates_of(cells, zone=UTC).when(cells[0]).name == "2026-03-04"
    assert dates_of(cells, zone=UTC, asked="day-first").when(cells[0]).name == "2026-04-03"
    with pytest.raises(UnreadableError, match="day-first or month-first"):
        dates_of(cells, zone=UTC, asked="dmy")


def test_today_counts_as_of_now_also_where_its_noon_is_still_to_come(fleet):
    # At noon in UTC it is past midnight in Auckland, and seven in the morning in New York.
    for zone, day in (("Pacific/Auckland", "2026-03-11"), ("America/New_York", "2026-03-10")):
        imported(f"date,key,agent,label,cost\n{day},nvidia-1,ada,{zone[:7]},1", zone=zone)
    assert set(Charge.objects.values_list("settled_at", flat=True)) == {NOON}


def test_a_closed_month_takes_no_more_usage(fleet, monkeypatch):
    december = ClosedPeriod(
        "December 2025",
        datetime(2025, 12, 1, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
    )
    monkeypatch.setattr(closed_usage, "_lookups", [lambda: [december]])

    assert problems(DAYS) == [
        "Line 2: December 2025 is closed. Reopen the month, or leave out its rows. ×2"
    ]
    assert imported(DAYS.replace("2025-12", "2026-01")).new == 3


def test_who_imported_what_is_in_the_audit(fleet):
    imported(DAYS)

    entry = AuditEntry.objects.get(action="usage.import")
    assert entry.actor_name == "test"
    assert entry.after["file"] == "usage.csv"
    assert (entry.after["rows"], entry.after["tokens"]) == (3, 2_171_500)


def test_imported_usage_survives_an_export_and_an_import(fleet):
    imported(DAYS)

    state, api_keys = exported_documents(now=NOON)
    types = [entry["type"] for entry in state["history"]]
    assert (types.count("import"), types.count("usage_update")) == (1, 3)
    forget_everything()
    interchange.import_state(state=state, api_keys=api_keys, actor=ACTOR, now=NOON)
    assert exported_documents(now=NOON) == [state, api_keys]


def test_a_crash_between_batches_loses_nothing(fleet, monkeypatch):
    module = sys.modules["interchange.services.import_usage"]
    monkeypatch.setattr(module, "_SESSIONS_AT_ONCE", 1)

    def crash(done):
        raise ConnectionError

    source = UsageSource(name="usage.csv", content=DAYS.encode())
    with pytest.raises(ConnectionError):
        interchange.import_usage(
            source, dry_run=False, actor=ACTOR, now=NOON, begin=lambda rows: crash
        )
    assert Allocation.objects.count() == 1
    assert imported(DAYS).new == 2
    assert_books_balance()


def test_the_command_checks_first(fleet, tmp_path, capsys):
    path = tmp_path / "usage.csv"
    path.write_text(DAYS.replace(",ada,", ",Writer,"))
    with pytest.raises(CommandError, match="2 rows cannot be imported. Nothing was written"):
        call_command("import_usage", str(path), "--apply")

    with pytest.raises(CommandError, match="'cost' is not FIELD=HEADING"):
        call_command("import_usage", str(path), "--column", "cost")

    arguments = [str(path), "--agent", "Writer=ada", "--key", "nvidia-1"]
    call_command("import_usage", *arguments)
    assert "3 new rows from 2025-12-01 to 2026-03-10" in capsys.readouterr().out
    call_command("import_usage", *arguments, "--apply")
    assert "Imported 3 rows." in capsys.readouterr().out
    call_command("import_usage", *arguments, "--apply")
    assert "3 rows imported before: left out." in capsys.readouterr().out


def test_a_file_that_is_too_large_is_to_be_split(fleet, monkeypatch):
    monkeypatch.setattr(reading, "BYTES_MAX", 100)
    with pytest.raises(MalformedFile, match="Split it"):
        imported(DAYS)


@pytest.mark.django_db(transaction=True)
def test_the_same_file_at_once_is_imported_once(fleet):
    rows = reading.read(DAYS.encode(), columns={}, zone=ZoneInfo("UTC")).rows
    matched = match(rows, names=UsageNames(), now=NOON).matched
    sessions = [each.session(file="usage.csv") for each in matched]

    overtaken(
        first=lambda: keys.import_usage.__wrapped__(sessions, source="", actor=ACTOR, now=NOON),
        then=lambda: imported(DAYS),
    )

    assert Charge.objects.count() == 3
    assert_books_balance()


@pytest.mark.django_db(transaction=True)
def test_a_month_that_is_being_locked_takes_no_more_usage(fleet):
    """Without the lock, the month would be closed with figures that it no longer has."""
    march = DAYS.splitlines()[0] + "\n2026-03-02,sales,carol,nvidia,model-1,1000,0,500,0.5"

    def lock_march():
        month_closes._lock_month.__wrapped__(MARCH, WAIVED, actor=ACTOR, now=IN_APRIL)

    outcome = overtaken(first=lock_march, then=lambda: imported(march))

    assert [problem.problem for problem in outcome.problems] == [
        "March 2026 is closed. Reopen the month, or leave out its rows."
    ]
    assert not Charge.objects.exists()
