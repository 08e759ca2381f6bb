"""What this app says no to."""

from common.refusal import Refusal


class AlertNotFound(Refusal):
    """There is no alert with this id."""

    code = "alert_not_found"


class AlreadyResolved(Refusal):
    """The alert is over; raise it anew if it is not."""

    code = "alert_resolved"


class ChannelNotFound(Refusal):
    """There is no channel with this id."""

    code = "channel_not_found"


class ChannelDisabled(Refusal):
    """The channel was switched off."""

    code = "channel_disabled"


class ChannelNameTaken(Refusal):
    """Another channel has this name."""

    code = "channel_name_taken"


class ChannelUrlUnusable(Refusal):
    """Apprise cannot make sense of the URL; the URL itself is never repeated."""

    code = "channel_url_unusable"
