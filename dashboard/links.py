"""The pages of the app, for the table of links."""

from common import links
from common.links import Page

links.register({"overview": Page("dashboard:overview")})
