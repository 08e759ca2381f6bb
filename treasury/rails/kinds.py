"""What a kind of rail is: how it is connected, what people enter for it, and what it can do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from common.addresses import Network
from treasury.rails.base import Capability, Mode, Rail
from treasury.rails.webhooks import WebhookReader


@dataclass(frozen=True, kw_only=True)
class Connection:
    """How a rail account reaches its vendor. `name` is that of the account; `settings` are not
    secret. `networks`: see `HttpClient`."""

    name: str
    mode: Mode
    url: str
    settings: Mapping[str, str] = field(default_factory=dict)
    secret: str = field(default="", repr=False)
    webhook_secret: str = field(default="", repr=False)
    networks: Sequence[Network] = ()


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What people enter for a rail account, and may see again."""

    name: str
    label: str
    help_text: str
    is_required: bool = False


@dataclass(frozen=True, kw_only=True)
class RailKind:
    """A vendor of a rail. `urls`: the only addresses that its secret is sent to.

    `key_help` and `webhook_help` say what to enter, and where the vendor shows it; a
    blank `webhook_help` means that its webhooks need no secret. `starts_with`: how a secret
    of each mode begins, so that one of the other mode is refused. `statement_format`: how
    `treasury.rail_statements` reads what a `StatementRail` fetches.
    """

    slug: str
    title: str
    about: str
    capabilities: frozenset[Capability]
    urls: Mapping[Mode, str]
    key_help: str
    connect: Callable[[Connection], Rail]
    webhooks: Callable[[Connection], WebhookReader] | None = None
    webhook_help: str = ""
    statement_format: str = ""
    settings: tuple[Setting, ...] = ()
    starts_with: Mapping[Mode, tuple[str, ...]] = field(default_factory=dict)
