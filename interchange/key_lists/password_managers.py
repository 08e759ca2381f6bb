"""Exports of password managers as lists of API keys: entries with an address and a password, which
may be that of a website. Only what is an API key without doubt becomes one; the rest is told."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.views.decorators.debug import sensitive_variables

from interchange.key_lists.entries import Entry, column, known_column, plain_name
from keys.supply.known_providers import api_host, issuer_of, provider_of_host, well_known

_NAMES = {"name", "title", "account", "item_name", "password_name"}
_ADDRESSES = {
    *("url", "uri", "website", "web_site", "website_address", "site", "password_url"),
    *("login_uri", "login_url"),
}
_PASSWORDS = {"password", "login_password", "pwd", "secretdata", "secret_data"}
# Columns of 1Password, Bitwarden, LastPass, KeePass, Keeper, browsers, Dashlane, Proton Pass,
# NordPass and RoboForm that say nothing of a key.
_NOT_OF_KEYS = {
    *("otpauth", "otp_auth", "totp", "login_totp", "otpurl", "otpsecret", "favorite", "fav"),
    *("archived", "type", "fields", "reprompt", "login_username", "login_name", "extra"),
    *("collections", "organization", "httprealm", "formactionorigin", "guid", "timecreated"),
    *("timelastused", "timepasswordchanged", "username2", "username3", "category", "vault"),
    *("createtime", "modifytime", "icon", "last_modified", "shared_folder", "custom_fields"),
    *("additional_urls", "matchurl", "match_url", "rffieldsv2", "uuid", "scope"),
    *("cardholdername", "cardnumber", "cvc", "pin", "expirydate", "zipcode", "full_name"),
    *("phone_number", "address1", "address2", "city", "country", "state"),
}
_KEY_OF_MANY = re.compile(r"sk-[\w-]{16,}")
_KEY_FOR_API = re.compile(r"[!-~]{20,}")
_NO_KEY = (
    "It does not look like an API key of a provider that Butler knows, so it was left out. If it "
    "is one, put it into a column secret, with the provider beside it."
)
_NO_PROVIDER = (
    "Neither its address nor its secret says of which provider it is. Add a column provider."
)


def is_export(head: Sequence[str]) -> bool:
    """Whether a head is that of a password manager: secrets and addresses, but no providers."""
    plain = {plain_name(name) for name in head}
    known = {known_column(name) for name in head}
    if "provider" in known:
        return False
    return bool(plain & _PASSWORDS) or "secret" in known and bool(plain & _ADDRESSES)


@dataclass
class ExportReader:
    """Reads the rows of an export, whose head names its columns."""

    head: Sequence[str]
    _names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._roles = [_role(name) for name in self.head]
        if "secret" in self._roles:
            # A column of keys is meant; the passwords beside it are those of websites.
            self._roles = [None if role == "password" else role for role in self._roles]

    @property
    def columns(self) -> list[str | None]:
        """What each column is: a column of lists of keys, `name`, `address` or `password`."""
        return self._roles

    @sensitive_variables()
    def entry(self, line: int, cells: Sequence[str]) -> Entry:
        """The API key of a row; without one, why it was left out. Refusals: none."""
        named = zip(self._roles, cells, strict=False)
        values = {role: cell for role, cell in named if role and cell}
        title, address = values.pop("name", ""), values.pop("address", "")
        password = values.pop("password", "")
        hosts = _hosts(address)
        providers = {found for host in hosts if (found := provider_of_host(host))}
        issuer = issuer_of(values.get("secret") or password)
        if len(providers) > 1 or issuer and providers - {issuer}:
            return Entry(line=line, values={}, problem=_in_doubt(providers, issuer))
        provider = issuer or next(iter(providers), None)
        if "secret" not in self._roles and not _is_key(password, provider, issuer, hosts):
            return Entry(line=line, values={}, left_out=_why_left_out(provider, issuer))
        if provider is None:
            return Entry(line=line, values={}, problem=_NO_PROVIDER)
        secret = values.pop("secret", "") or password
        values |= {"provider": provider, **({"secret": secret} if secret else {})}
        if name := self._slug(title):
            values.setdefault("key_id", name)
        return Entry(line=line, values=values)

    def _slug(self, title: str) -> str:
        """A name for the key that no other of the export has; empty without letters for one."""
        letters = unicodedata.normalize("NFKD", title.lower()).encode("ascii", "ignore").decode()
        slug = re.sub(r"[^a-z0-9_]+", "-", letters).strip("-_")[:60].rstrip("-_")
        number, name = 1, slug
        while slug and name in self._names:
            number += 1
            name = f"{slug}-{number}"
        self._names.add(name)
        return name


def _role(name: str) -> str | None:
    plain = plain_name(name)
    roles = ((_NAMES, "name"), (_ADDRESSES, "address"), (_PASSWORDS, "password"))
    for names, role in roles:
        if plain in names:
            return role
    return None if plain in _NOT_OF_KEYS else column(name)


def _hosts(address: str) -> list[str]:
    hosts = []
    for each in re.split(r"[\s,]+", address):
        try:
            host = urlsplit(each if "//" in each else f"//{each}").hostname
        except ValueError:
            continue
        if host:
            hosts.append(host)
    return hosts


@sensitive_variables("password")
def _is_key(password: str, provider: str | None, issuer: str | None, hosts: Sequence[str]) -> bool:
    """Whether a password is an API key of the provider, and not that of its website."""
    if provider is None or not well_known(provider).base_url:
        return False
    is_for_api = api_host(provider) in hosts
    return bool(
        issuer
        or _KEY_OF_MANY.fullmatch(password)
        or is_for_api
        and _KEY_FOR_API.fullmatch(password)
    )


def _why_left_out(provider: str | None, issuer: str | None) -> str:
    if issuer:
        return (
            f"It is a secret of {issuer}, whose address Butler does not know, so it was left out. "
            "Add the key by itself."
        )
    if provider:
        return (
            f"Its password does not look like an API key of {well_known(provider).name} and may be "
            "that of the website, so it was left out. If it is a key, put it into a column secret."
        )
    return _NO_KEY


def _in_doubt(providers: set[str], issuer: str | None) -> str:
    names = sorted(well_known(slug).name for slug in providers)
    if issuer is None:
        return f"Its addresses are of {' and '.join(names)}. Add a column provider."
    return (
        f"Its address is of {' and '.join(names)}, but its secret begins as those of "
        f"{well_known(issuer).name} do. Add a column provider."
    )
