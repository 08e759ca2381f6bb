"""Check the secret of an API key before it is sealed: what was pasted is often not the secret."""

import re

from django.views.decorators.debug import sensitive_variables

from keys.refusals import WrongValue
from keys.supply.known_providers import issuer_of, well_known, without_account

_QUOTED = re.compile(r"""(["'`]).*\1""")
_WITH_SCHEME = re.compile(r"(bearer|basic|token|authorization:|x-api-key:)\s", re.IGNORECASE)
# A secret that was shortened or left out: sk-..., sk-****abcd, <your key>, ${OPENAI_API_KEY}.
_MASKED = re.compile(r"\.{3}|\*{3}|<.*>|\$\{.*\}|\$\(.*\)|\{\{.*\}\}")
# Words in place of a secret. Servers of one's own take such words as secrets.
_PLACEHOLDER = re.compile(
    r"(sk-)?((your|my|insert|paste|add|enter|put)[-_ ].*|.*[-_ ](goes[-_ ])?here|change[-_ ]?me"
    r"|replace[-_ ]?me|to[-_ ]?do|tbd|none|null|n/?a|-|x{3,}|example)",
    re.IGNORECASE,
)


@sensitive_variables()
def check_secret(secret: str, *, provider: str, url: str) -> str:
    """The secret without spaces around it, if `provider` (its slug) may have issued it for `url`.

    Refusal: WrongValue, which never repeats the secret.
    """
    secret = secret.strip()
    if not secret:
        raise _wrong("Enter the secret that the provider issued.")
    if not (secret.isascii() and secret.isprintable()):
        raise _wrong(
            "The secret contains characters that an HTTP header cannot carry. Use printable ASCII "
            "characters."
        )
    if _QUOTED.fullmatch(secret):
        raise _wrong("The secret is in quotation marks. Enter it without them.")
    if _WITH_SCHEME.match(secret):
        raise _wrong("Enter the secret alone, without the word before it.")
    if _MASKED.search(secret):
        raise _wrong("The secret is shortened, or a placeholder. Enter the whole secret.")
    usual = well_known(provider)
    if usual.base_url and url == usual.base_url:
        _check_issuer(secret, provider, usual.name)
    return secret


@sensitive_variables("secret")
def _check_issuer(secret: str, provider: str, name: str) -> None:
    """Refusal: WrongValue. The secret goes to the provider's own address."""
    if _PLACEHOLDER.fullmatch(secret):
        raise _wrong("This is a placeholder. Enter the secret that the provider issued.")
    issuer = issuer_of(secret)
    if issuer and issuer != without_account(provider):
        raise _wrong(
            f"The secret begins as those of {well_known(issuer).name} do, but would be sent to "
            f"{name}. Enter the secret that {name} issued, or choose the other provider."
        )


def _wrong(detail: str) -> WrongValue:
    return WrongValue(detail, field="secret")
