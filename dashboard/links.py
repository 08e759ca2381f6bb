"""The pages of the app, registered for `common.links`."""

from common import links
from common.links import Page

links.register(
    {
        "overview": Page("dashboard:overview"),
        "access": Page("dashboard:access"),
        "settings": Page("dashboard:settings"),
        "theme": Page("dashboard:theme"),
    }
)
