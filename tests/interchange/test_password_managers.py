"""Lists of keys as password managers and browsers export them."""

import pytest

from interchange.key_lists.reading import read
from interchange.services import KeyDefaults, counts, import_keys
from keys.models import ApiKey
from keys.refusals import WrongValue
from tests.actors import ACTOR
from tests.moments import NOON

SECRETS = {"openai": "sk-proj-" + "a" * 30, "groq": "gsk_" + "b" * 30, "google": "AIza" + "c" * 30}
# Heads, and where the title, the address, the user and the password of an entry go.
HEADS = {
    "1Password": (
        "Title,Url,Username,Password,OTPAuth,Favorite,Archived,Tags,Notes",
        "{title},{url},{user},{password},,false,false,work,",
    ),
    "1Password 7": ("title,website,username,password,notes", "{title},{url},{user},{password},x"),
    "Bitwarden": (
        "folder,favorite,type,name,notes,fields,reprompt,login_uri,login_username,login_password,"
        "login_totp",
        "keys,,login,{title},,,0,{url},{user},{password},",
    ),
    "LastPass": (
        "url,username,password,totp,extra,name,grouping,fav",
        "{url},{user},{password},,note,{title},AI,0",
    ),
    "KeePass": (
        '"Account","Login Name","Password","Web Site","Comments"',
        '"{title}","{user}","{password}","{url}",""',
    ),
    "KeePassXC": (
        '"Group","Title","Username","Password","URL","Notes","TOTP","Icon","Last Modified",'
        '"Created"',
        '"Root/AI","{title}","{user}","{password}","{url}","","","0","2026-01-01","2026-01-01"',
    ),
    "Keeper, with a head": (
        "Folder,Title,Login,Password,Website Address,Notes,Shared Folder,Custom Fields",
        "AI,{title},{user},{password},{url},,,",
    ),
    "Chrome": ("name,url,username,password,note", "{title},{url},{user},{password},"),
    "Firefox": (
        '"url","username","password","httpRealm","formActionOrigin","guid","timeCreated",'
        '"timeLastUsed","timePasswordChanged"',
        '"{url}","{user}","{password}",,"","{{1}}","1","1","1"',
    ),
    "Safari": (
        "Title,URL,Username,Password,Notes,OTPAuth",
        "{title},{url},{user},{password},,",
    ),
    "Dashlane": (
        "username,username2,username3,title,password,note,url,category,otpUrl",
        "{user},,,{title},{password},,{url},AI,",
    ),
    "Proton Pass": (
        "type,name,url,email,username,password,note,totp,createTime,modifyTime,vault",
        "login,{title},{url},,{user},{password},,,1,1,Work",
    ),
    "RoboForm": (
        "Name,Url,MatchUrl,Login,Pwd,Note,Folder,RfFieldsV2",
        "{title},{url},,{user},{password},,AI,",
    ),
    "with a column of keys": (
        "Title,URL,Username,Password,Secret",
        "{title},{url},{user},correct horse,{password}",
    ),
}


def export(head, *entries):
    names, row = HEADS[head]
    lines = [
        row.format(title=title, url=url, user="ada@example.com", password=password)
        for title, url, password in entries
    ]
    return "\n".join([names, *lines])


def read_rows(text):
    return read(text.encode(), file="export.csv")


@pytest.mark.parametrize("head", HEADS)
def test_the_keys_of_an_export_are_read_with_their_providers(head):
    text = export(
        head,
        ("OpenAI – Team Ä", "https://platform.openai.com/settings", SECRETS["openai"]),
        ("Groq", "", SECRETS["groq"]),
        ("Groq", "https://console.groq.com", SECRETS["groq"] + "2"),
        ("Mistral", "https://api.mistral.ai/v1", "m" * 32),
    )
    found = [dict(entry.values) for entry in read_rows(text)]
    expected = [
        ("openai-team-a", "openai", SECRETS["openai"]),
        ("groq", "groq", SECRETS["groq"]),
        ("groq-2", "groq", SECRETS["groq"] + "2"),
        ("mistral", "mistral", "m" * 32),
    ]
    if "title" not in HEADS[head][1]:
        expected = [("", provider, secret) for _, provider, secret in expected]
    assert [
        (each.get("key_id", ""), each["provider"], each["secret"]) for each in found
    ] == expected
    assert not any("base_url" in each for each in found)


SITE = "may be that of the website, so it was left out"
UNKNOWN = "does not look like an API key of a provider that Butler knows"
LEFT_OUT = {
    "the password of the website": ("https://platform.openai.com", "correct horse battery", SITE),
    "a long one": ("https://console.mistral.ai", "m" * 32, SITE),
    "a short one at the API": ("https://api.openai.com", "hunter2", SITE),
    "another website": ("https://bank.example", "p" * 40, UNKNOWN),
    "a host that looks like one": ("https://openai.com.evil.example", "sk-" + "a" * 30, UNKNOWN),
    "Azure": ("https://acme.openai.azure.com", "f" * 32, UNKNOWN),
    "no address": ("", "sk-" + "a" * 30, UNKNOWN),
    "no password": ("https://x.example", "", UNKNOWN),
    "no password at a provider": ("https://platform.openai.com", "", SITE),
    "an address that is none": ("http://[", "p" * 30, UNKNOWN),
    "a provider without address": ("https://huggingface.co", "hf_" + "a" * 30, "hugging-face"),
    "a token of Butler": ("", "bt_" + "a" * 30, "butler"),
}
DOUBTS = {
    "two providers": ("https://api.openai.com", "gsk_" + "b" * 30, "Its address is of OpenAI, but"),
    "two addresses": (
        '"https://openai.com, https://groq.com"',
        "p" * 30,
        "Its addresses are of Groq and OpenAI",
    ),
}


@pytest.mark.parametrize("name", LEFT_OUT | DOUBTS)
def test_what_may_be_no_key_is_told_and_never_becomes_one(name):
    url, password, says = (LEFT_OUT | DOUBTS)[name]
    (entry,) = read_rows(export("LastPass", ("secret title", url, password)))
    assert dict(entry.values) == {}
    assert says in (entry.left_out if name in LEFT_OUT else entry.problem)
    assert not (entry.left_out and entry.problem)
    assert not password or password not in entry.left_out + entry.problem


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ("provider,model,password", "a password may be that of a website"),
        ("provider,username,login_password", "name it secret"),
        ("title,url,password,tokens_per_dya", "Did you mean tokens_per_day?"),
        ("title,url,api_key,secret", "has the column secret twice"),
        ("name,title,password,url", "has the column name twice"),
    ],
)
def test_a_head_that_may_mean_two_things_is_refused(head, says):
    with pytest.raises(WrongValue) as refused:
        read_rows(f"{head}\na,b,c,d")
    assert says in refused.value.detail


def test_a_column_of_keys_without_a_provider_is_asked_about():
    (entry,) = read_rows("title,url,secret\nInternal,https://llm.example.com,abc")
    assert "Add a column provider." in entry.problem


@pytest.mark.django_db
def test_a_vault_with_other_entries_is_imported_once():
    text = export(
        "Bitwarden",
        ("OpenAI", "https://platform.openai.com", SECRETS["openai"]),
        ("Bank", "https://bank.example", "p" * 40),
        ("OpenAI login", "https://platform.openai.com", "correct horse battery"),
        ("Gemini", "https://aistudio.google.com", SECRETS["google"]),
    )
    defaults = KeyDefaults(
        models={"openai": "gpt-4.1-mini", "google": "gemini-2.5-flash"}, tokens_per_day="1000"
    )

    def imported(*, dry_run):
        results = import_keys(
            read_rows(text), defaults=defaults, dry_run=dry_run, actor=ACTOR, now=NOON
        )
        return {outcome: number for outcome, number in counts(results).items() if number}

    assert imported(dry_run=True) == {"new": 2, "left_out": 2}
    assert not ApiKey.objects.exists()
    assert imported(dry_run=False) == {"new": 2, "left_out": 2}
    assert imported(dry_run=False) == {"exists": 2, "left_out": 2}
    found = ApiKey.objects.select_related("provider").order_by("pk")
    assert [(key.pk, key.provider_id) for key in found] == [
        ("gemini", "google"),
        ("openai", "openai"),
    ]
    assert found[1].provider.base_url == "https://api.openai.com/v1"
