"""Links from the one table of links, in templates: `{% load links %}`."""

from django import template
from django.utils.safestring import SafeString

from common import links
from common.admin import widgets

register = template.Library()


@register.simple_tag
def url_of(kind: str, *key: object, **filters: object) -> str:
    """`{% url_of "key" slug %}`, `{% url_of "charges" api_key=slug %}`: the path of a page."""
    return links.url(kind, *key, **filters)


@register.simple_tag
def link_to(kind: str, key: object, text: object | None = None) -> SafeString | str:
    """`{% link_to "key" slug %}`: a link of the admin to a row's page; `—` when there is no row."""
    return widgets.link(kind, key, text)
