"""Lists of API keys: read, checked as a whole, added once."""

import io
import json
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from interchange import services as interchange
from interchange.key_lists import entries
from interchange.key_lists.reading import read
from interchange.services import KeyDefaults
from interchange.state_files.files import MalformedFile
from keys import services as keys
from keys.models import ApiKey, Limit, Provider
from keys.refusals import WrongValue
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.keys.builders import FREE, add_key
from tests.moments import NOON

CSV = """key_id,provider,model,secret,tokens_per_day,usd_per_month,input_cost,output_cost
openai-1,openai,gpt-4.1-mini,sk-one,5_000_000,20,0.0004,0.0016
openai-2,openai,gpt-4.1-mini,sk-two,none,$50.50,,
mistral-1,mistral,mistral-small-latest,,1000,,,
"""


def values(text, file="keys.csv"):
    content = text if isinstance(text, bytes) else text.encode()
    return [dict(entry.values) for entry in read(content, file=file)]


def imported(text, *, dry_run=False, file="keys.csv", **defaults):
    content = text if isinstance(text, bytes) else text.encode()
    return interchange.import_keys(
        read(content, file=file),
        defaults=KeyDefaults(**defaults),
        dry_run=dry_run,
        actor=ACTOR,
        now=NOON,
    )


def outcomes(results):
    return [(result.key_id, result.outcome.value) for result in results]


@pytest.mark.parametrize(
    "text",
    [
        CSV,
        CSV.replace(",", ";"),
        CSV.replace(",", "\t"),
        "\ufeff" + CSV,
        CSV.encode("utf-16"),
        CSV.replace("\n", "\r\n"),
        "# Keys of the team\n\n" + CSV + "\n\n",
        CSV.replace("key_id", "Name").replace("secret", "API key").replace("tokens_p", "Tokens p"),
        CSV.replace("output_cost\n", "output_cost,Note\n"),
        "sep=;\n" + CSV.replace(",", ";"),
        CSV.replace("\n", ",,\n"),
        CSV.replace("\n", "\r"),
        "\n".join(f"| {line.replace(',', ' | ')} |" for line in CSV.splitlines()).replace(
            "\n", f"\n|{'---|' * 8}\n", 1
        ),
    ],
    ids=[
        "commas",
        "semicolons",
        "tabs",
        "a byte order mark",
        "Unicode text",
        "lines of Windows",
        "comments and empty lines",
        "other names",
        "a column for people",
        "a separator for Excel",
        "columns that were empty once",
        "lines of old spreadsheets",
        "a table of Markdown",
    ],
)
def test_a_csv_file_is_read_as_people_save_it(text):
    first, second, third = values(text)
    assert first == {
        "key_id": "openai-1",
        "provider": "openai",
        "model": "gpt-4.1-mini",
        "secret": "sk-one",
        "tokens_per_day": "5_000_000",
        "usd_per_month": "20",
        "input_cost": "0.0004",
        "output_cost": "0.0016",
    }
    assert second["usd_per_month"] == "$50.50"
    assert "secret" not in third


def test_json_is_a_list_of_objects():
    key = {"provider": "groq", "model": "m", "tokens_per_day": 5, "serves": ["a", "b"]}
    expected = {"provider": "groq", "model": "m", "tokens_per_day": "5", "serves": "a b"}
    key |= {"id": "groq-1", "api_key": "s"}
    expected |= {"key_id": "groq-1", "secret": "s"}
    assert values(json.dumps([key])) == [expected]
    assert values(json.dumps({"keys": [key | {"note": "x", "base_url": None}]})) == [expected]
    assert values(json.dumps({"api_keys": [key]})) == [expected]
    assert values(f"{json.dumps(key)}\n\n{json.dumps(key)}\n") == [expected, expected]


def test_an_env_file_has_a_key_for_each_variable_of_a_provider():
    text = """
# Production
DEBUG=1
export OPENAI_API_KEY="sk-one"
OPENAI_API_KEY_2=sk-two   # the second account
OPENAI_MODEL=gpt-4.1-mini
GEMINI_API_KEY='g-1'
XAI_API_KEY=x-1
ANTHROPIC_API_KEY=
DATABASE_URL=postgres://localhost
ACME_AI_API_KEY=a-1
"""
    found = read(text.encode(), file=".env")
    named = [(each.line, each.values.get("key_id"), each.values.get("secret")) for each in found]
    assert named == [
        (4, "openai-1", "sk-one"),
        (5, "openai-2", "sk-two"),
        (7, "google-1", "g-1"),
        (8, "x-ai-1", "x-1"),
        (11, None, None),
    ]
    assert [each.values.get("model") for each in found[:2]] == ["gpt-4.1-mini"] * 2
    assert found[-1].problem == "ACME_AI_API_KEY names no provider that Butler knows."


@pytest.mark.parametrize(
    "line",
    [
        "OPENAI_API_KEY=s-1",
        "openai_api_key=s-1",
        " OPENAI_API_KEY = 's-1' ",
        'OPENAI_API_KEY="s-1" # of the team',
        "OPENAI_API_KEY=s-1 # of the team",
        "set OPENAI_API_KEY=s-1",
        '$env:OPENAI_API_KEY = "s-1"',
        "OPENAI_API_KEY: s-1",
        "  - OPENAI_API_KEY: 's-1'",
        "FOO=1\nexport OPENAI_API_KEY=s-1;",
        'setx OPENAI_API_KEY "s-1" /m',
        "kind: Secret\nstringData:\n  OPENAI_API_KEY: s-1",
        "services:\n  app:\n    environment:\n      - OPENAI_API_KEY=s-1",
        '{"OPENAI_API_KEY": "s-1", "DEBUG": true}',
        '{"data": {"data": {"OPENAI_API_KEY": "s-1"}, "metadata": {"version": 2}}}',
    ],
)
def test_a_variable_is_read_as_shells_and_programs_write_it(line):
    [found] = values(line + "\n", file=".env")
    assert (found["key_id"], found["secret"].rstrip(";")) == ("openai-1", "s-1")


def test_other_secrets_of_a_program_are_not_those_of_providers():
    text = "DJANGO_SECRET_KEY=a\nGITHUB_TOKEN=b\nAWS_ACCESS_KEY_ID=c\nOPENAI_API_KEY=d\n"
    assert [found.get("secret") for found in values(text)] == ["d"]
    with pytest.raises(MalformedFile, match="such as OPENAI_API_KEY"):
        values("DEBUG=1\nGITHUB_TOKEN=b\n")


def test_a_second_secret_under_one_name_is_told_not_lost():
    found = read(b"OPENAI_API_KEY=a\nOPENAI_API_KEY=b\n", file=".env")
    assert found[1].problem == (
        "OPENAI_API_KEY is a second secret of openai-1, which line 1 names."
    )
    assert len(values("OPENAI_API_KEY=a\nOPENAI_API_KEY=a\n")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "sk-very-secret,openai,gpt-4.1,100\n",
        "openai;gpt-4.1;sk-very-secret\n",
        "sk-very-secret\n",
        "OPENAI sk-very-secret\n",
        "curl -H 'x: sk-very-secret'\n",
        '{"sk-very-secret": 1}',
        '[{"id": "a", "secret": "sk-very-secret"',
    ],
)
def test_a_secret_where_none_belongs_is_never_repeated(text):
    with pytest.raises((MalformedFile, WrongValue)) as refused:
        read(text.encode(), file="keys")
    assert "sk-very" not in refused.value.detail


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1000000", 10**6),
        ("1 000\u202f000", 10**6),
        ("1'000'000", 10**6),
        ("1,000,000", 10**6),
        ("1.000.000", 10**6),
        ("1,000.50", Decimal("1000.50")),
        ("5M", 5 * 10**6),
        ("1.5k", 1500),
        ("US$20", 20),
        ("20 USD", 20),
        ("1,000", None),
        ("20,50", None),
        ("€20", None),
        ("M", None),
        ("inf", None),
    ],
)
def test_numbers_are_read_if_they_can_mean_only_one(text, number):
    assert read_number(text) == number


def read_number(text):
    try:
        return entries._number(text, "x")
    except WrongValue:
        return None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        (b"key_id,provider\n\xe9,x", "is not UTF-8"),
        (b"PK\x03\x04\x00\x00", "is no text"),
        (b"PK\x03\x04\x14", "Save the workbook as CSV"),
        (b"key_id,provider\n\xe9,x", "Save the file as CSV UTF-8"),
        (b'[{"id": "a", "name": "b"}]', "key_id twice"),
        (b"- key_id: a1\n  provider: openai\n", "has no head"),
        (b'{"a": 1}', "must be a list"),
        (b'{"items": [{"login": {"password": "s"}}]}', "must be a list"),
        (b"data:\n  OPENAI_API_KEY: cy0x\nkind: Secret\n", "base64"),
        (b'{"kind": "Secret", "data": {"OPENAI_API_KEY": "cy0x"}}', "base64"),
        (b'[{"id": ', "line 1"),
        (b'key_id,provider\n"a,b', "line 2"),
        (b"key_id,provder\n", "Did you mean provider"),
        (b"key_id,name\n", "key_id twice"),
        (b"x" * (5 * 1024**2 + 1), "larger than 5 MB"),
    ],
)
def test_what_is_no_list_of_keys_is_refused(content, said):
    with pytest.raises((MalformedFile, WrongValue), match=said):
        read(content, file="keys")


@pytest.mark.django_db
def test_keys_are_added_with_limits_and_prices_once():
    assert outcomes(imported(CSV, dry_run=True)) == [
        ("openai-1", "new"),
        ("openai-2", "new"),
        ("mistral-1", "new"),
    ]
    assert not ApiKey.objects.exists()
    assert not Provider.objects.exists()
    assert not AuditEntry.objects.exists()

    results = imported(CSV)
    assert outcomes(results) == [("openai-1", "new"), ("openai-2", "new"), ("mistral-1", "new")]
    assert results[2].detail == "It has no secret yet, so it is switched off."
    limits = Limit.objects.order_by("scope", "unit")
    found = [(limit.scope, limit.unit, limit.period, float(limit.amount)) for limit in limits]
    assert found == [
        ("key:mistral-1", "tokens", "day", 1000),
        ("key:openai-1", "tokens", "day", 5_000_000),
        ("key:openai-1", "usd", "month", 20),
        ("key:openai-2", "usd", "month", 50.5),
    ]
    assert ApiKey.objects.get(pk="openai-1").price.rates.input == Decimal("0.0004")
    assert ApiKey.objects.get(pk="openai-2").status == "active"
    assert ApiKey.objects.get(pk="mistral-1").status == "inactive"

    again = imported(CSV + "groq-1,groq,llama-3.3-70b-versatile,g-1,10,,,\n")
    assert [outcome for _, outcome in outcomes(again)] == ["exists", "exists", "exists", "new"]
    assert ApiKey.objects.count() == 4


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a,opnai,m,s,1,,,", "Did you mean openai"),
        ("a,antropic,m,s,1,,,", "Did you mean anthropic"),
        ("a,open-ai,m,s,1,,,", "Did you mean openai"),
        ("a,openai,,s,1,,,", "There is no model"),
        ("a,,m,s,1,,,", "There is no provider"),
        ("a,openai,m,s,,,,", "There is no limit"),
        ("a,openai,m,s,many,,,", "tokens_per_day is no number"),
        ("a,openai,m,s,-1,,,", "amount"),
        ("a,openai,m,s,1,,1,", "input_cost and output_cost"),
        ("a,openai,m,s,1,,2.5,10", "Divide it by 1,000"),
        ("A B,openai,m,s,1,,,", "a-z"),
        ("a,openai,gpt-4.1,ключ,1,,,", "printable ASCII"),
        ("a,openai,m,sk-one,1,,,", "its secret more than once"),
        ("openai-1,openai,m,s,1,,,", "its name more than once"),
        ("a,openai,m,s,1,,,,,,", "It has 11 values"),
        ("a,claude,m,s,1,,,", "Did you mean anthropic"),
        ("a,Gemini,m,s,1,,,", "Did you mean google"),
        ("a,openai,gtp-4.1,s,1,,,", "Did you mean gpt-4.1?"),
        ("a,openai,openai/gpt-4.1,s,1,,,", "Did you mean gpt-4.1?"),
        ("a,openai,m,s,1,,0.0000000001,1", "at most 9 decimal places"),
        ("a,openai,gpt-4.1,sk-ant-1,1,,,", "begins as those of Anthropic"),
        ("a,openai,gpt-4.1,${KEY},1,,,", "a placeholder"),
    ],
)
def test_if_one_key_is_wrong_none_is_added_and_the_line_is_named(line, said):
    results = imported(CSV + line + "\n")
    wrong = [result for result in results if result.outcome == "wrong"]
    assert 5 in [result.line for result in wrong]
    assert said in wrong[-1].detail
    assert all("sk-one" not in str(result) for result in results)
    assert not ApiKey.objects.exists()


@pytest.mark.django_db
def test_defaults_count_for_keys_that_do_not_say_it():
    add_key("openai-1", provider="openai")
    text = "OPENAI_API_KEY_A=s-1\nGROQ_API_KEY=s-2\n"
    results = imported(
        text,
        models={"openai": "gpt-4.1", "groq": "llama-3.3-70b-versatile"},
        tokens_per_day="7",
        zone="Asia/Tokyo",
    )
    assert outcomes(results) == [("openai-a", "new"), ("groq-1", "new")]
    limits = Limit.objects.exclude(scope="key:openai-1")
    assert {(limit.scope, int(limit.amount), limit.zone) for limit in limits} == {
        ("key:openai-a", 7, "Asia/Tokyo"),
        ("key:groq-1", 7, "Asia/Tokyo"),
    }
    unnamed = "provider,model,secret,usd_per_month\nopenai,gpt-4.1,s-3,1\nopenai,gpt-4.1,s-4,1\n"
    assert outcomes(imported(unnamed, dry_run=True)) == [("openai-2", "new"), ("openai-3", "new")]


@pytest.mark.django_db
def test_a_new_provider_may_resemble_another_if_that_is_meant():
    terms = keys.KeyTerms(provider="opnai", model="m", rates=FREE)
    with pytest.raises(WrongValue, match="Did you mean openai") as refused:
        keys.add_key("a", terms=terms, secret="s", actor=ACTOR, now=NOON)
    assert refused.value.field == "provider"
    assert not Provider.objects.exists()
    meant = keys.KeyTerms(provider="opnai", model="m", rates=FREE, is_new_provider=True)
    keys.add_key("a", terms=meant, secret="s", actor=ACTOR, now=NOON)
    # It is there now, so nobody is asked again; and names that resemble none are not asked about.
    named = (("b", "opnai"), ("c", "acme"), ("d", "openai-2"), ("e", "vllm"), ("f", "openai-eu"))
    for slug, provider in named:
        terms = keys.KeyTerms(provider=provider, model="m", rates=FREE)
        keys.add_key(slug, terms=terms, secret=slug, actor=ACTOR, now=NOON)


@pytest.mark.django_db
def test_the_command_says_what_it_would_do_and_does_it(tmp_path):
    path, out = tmp_path / "keys.csv", io.StringIO()
    path.write_text(CSV)
    call_command("import_keys", str(path), stdout=out)
    assert "3 keys would be added. Nothing was written" in out.getvalue()
    assert not ApiKey.objects.exists()
    call_command("import_keys", str(path), "--apply", stdout=out)
    assert out.getvalue().endswith("Added 3 keys.\n")
    path.write_text(CSV + "x,opnai,m,s,1,,,\n")
    with pytest.raises(CommandError, match="1 of 4 keys are wrong. Nothing was added"):
        call_command("import_keys", str(path), "--apply", stdout=out)
    assert "sk-" not in out.getvalue()
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_keys", str(tmp_path / "none.csv"))


@pytest.mark.django_db(transaction=True)
def test_many_keys_are_switched_by_a_pattern():
    out, err = io.StringIO(), io.StringIO()
    imported(CSV)
    call_command("switch_keys", "off", "openai-*", "mistral-1", reason="test", stdout=out)
    assert "Switched off: 2. They were off already: 1." in out.getvalue()
    with pytest.raises(CommandError, match="1 of 3 keys could not be switched on"):
        call_command("switch_keys", "on", "*", reason="test", stdout=out, stderr=err)
    assert "mistral-1 has no secret yet" in err.getvalue()
    active = ApiKey.objects.filter(status="active").order_by("pk")
    assert list(active.values_list("pk", flat=True)) == ["openai-1", "openai-2"]
    with pytest.raises(CommandError, match="No API key is named none"):
        call_command("switch_keys", "off", "openai-1", "none", reason="test")
    assert ApiKey.objects.get(pk="openai-1").status == "active"
