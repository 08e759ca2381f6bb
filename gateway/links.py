"""The pages of the app, for the table of links."""

from common import links
from common.links import Page

links.register(
    {
        "retention": Page("admin:gateway_retention_change"),
        "retentions": Page("admin:gateway_retention_changelist"),
        "exchange": Page("admin:gateway_exchange_change"),
        "exchanges": Page("admin:gateway_exchange_changelist"),
    }
)
