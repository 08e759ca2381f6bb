"""Every refusal of alerts and channels. `butler_site.errors` gives each its status."""

from dataclasses import dataclass
from datetime import UTC, datetime

from common.refusal import Refusal


@dataclass(kw_only=True, eq=False)
class AlertNotFound(Refusal):
    """The alert does not exist."""

    alert_id: int

    def sentence(self) -> str:
        return f"The alert {self.alert_id} does not exist."


@dataclass(kw_only=True, eq=False)
class AlertResolved(Refusal):
    """The alert is already resolved; raise another one if its condition is back."""

    alert_id: int
    resolved_by: str
    resolved_at: datetime

    def sentence(self) -> str:
        return f"The alert {self.alert_id} was already resolved by {self.resolved_by}."


@dataclass(kw_only=True, eq=False)
class AlertRaisedAgain(Refusal):
    """The condition of the resolved alert was raised again: another alert is about it now."""

    alert_id: int

    def sentence(self) -> str:
        return (
            f"The alert {self.alert_id} cannot be reopened, because the same was raised again "
            "since. Use the new alert."
        )


@dataclass(kw_only=True, eq=False)
class AlertSnoozed(Refusal):
    """The alert is snoozed until another moment; end that snooze first."""

    alert_id: int
    snoozed_by: str
    snoozed_until: datetime

    def sentence(self) -> str:
        return (
            f"The alert {self.alert_id} was already snoozed by {self.snoozed_by}, until "
            f"{self.snoozed_until.astimezone(UTC):%Y-%m-%d %H:%M} UTC. End that snooze first."
        )


@dataclass(kw_only=True, eq=False)
class SnoozeOutOfRange(Refusal):
    """An alert is snoozed until a moment of the next 366 days."""

    until: datetime
    latest: datetime
    field: str = "until"

    def sentence(self) -> str:
        return "Choose a moment of the next 366 days."


@dataclass(kw_only=True, eq=False)
class ChannelNotFound(Refusal):
    """The channel does not exist."""

    channel_id: str

    def sentence(self) -> str:
        return f"The channel {self.channel_id} does not exist."


@dataclass(kw_only=True, eq=False)
class ChannelDisabled(Refusal):
    """The channel is disabled."""

    channel: str

    def sentence(self) -> str:
        return f"The channel {self.channel} is disabled. Enable it first."


@dataclass(kw_only=True, eq=False)
class ChannelNotSigned(Refusal):
    """The channel is no webhook, so it has no signing secret."""

    channel: str

    def sentence(self) -> str:
        return f"The channel {self.channel} is not a webhook, so it has no signing secret."


@dataclass(kw_only=True, eq=False)
class NotificationNotFound(Refusal):
    """The notification does not exist."""

    notification_id: int

    def sentence(self) -> str:
        return f"The notification {self.notification_id} does not exist."


@dataclass(kw_only=True, eq=False)
class NotificationUnfinished(Refusal):
    """A notification of the same alert still waits for the channel."""

    notification_id: int

    def sentence(self) -> str:
        return (
            f"The notification {self.notification_id} tells this channel the same and is still to "
            "be sent. Wait until it is sent or given up."
        )


@dataclass(kw_only=True, eq=False)
class AlertRouteNotFound(Refusal):
    """The route does not exist."""

    route_id: int

    def sentence(self) -> str:
        return f"The route {self.route_id} does not exist."


@dataclass(kw_only=True, eq=False)
class RouteNameTaken(Refusal):
    """Another route has this name."""

    name: str
    field: str = "name"

    def sentence(self) -> str:
        return f"A route named {self.name} already exists. Choose another name."


@dataclass(kw_only=True, eq=False)
class RouteInvalid(Refusal):
    """The parts of the route do not go together."""

    problem: str

    def sentence(self) -> str:
        return self.problem


@dataclass(kw_only=True, eq=False)
class AlertRuleNotFound(Refusal):
    """The rule does not exist."""

    rule_id: int

    def sentence(self) -> str:
        return f"The rule {self.rule_id} does not exist."


@dataclass(kw_only=True, eq=False)
class AlertRuleNameTaken(Refusal):
    """Another rule has this name."""

    name: str
    field: str = "name"

    def sentence(self) -> str:
        return f"A rule named {self.name} already exists. Choose another name."


@dataclass(kw_only=True, eq=False)
class AlertRuleInvalid(Refusal):
    """The rule watches nothing."""

    problem: str

    def sentence(self) -> str:
        return self.problem


@dataclass(kw_only=True, eq=False)
class NoticesInvalid(Refusal):
    """A person cannot be told in this way."""

    problem: str

    def sentence(self) -> str:
        return self.problem


@dataclass(kw_only=True, eq=False)
class ChannelNameTaken(Refusal):
    """Another channel has this name."""

    name: str

    def sentence(self) -> str:
        return f"A channel named {self.name} already exists. Choose another name."


@dataclass(eq=False)
class ChannelUrlUnusable(Refusal):
    """The URL cannot be used for a channel. It is never repeated: it may have a password."""

    def sentence(self) -> str:
        return (
            "This URL cannot be used. It must be that of a webhook or one that Apprise knows, of a "
            "service on the network, and its address public or in BUTLER_CHANNEL_NETWORKS. "
            "Examples: https://example.org/hook, mailto://user:password@example.org, "
            "slack://token-a/token-b/token-c."
        )
