"""Fields by which a provider does more than answer, per route, with the reason to refuse each.

What an unknown field does is taken from its name.
"""

import re
from functools import lru_cache

_SEARCH = (
    "Searches at the provider cost more than tokens. Give the model a search tool of your own as a"
    " function."
)
_STORED = "Send what is needed in the request itself"
_RETRIEVED = f"What the provider retrieves becomes input of unknown size. {_STORED}."
_OTHER_MODEL = "Other models have other prices. Request one model."
HOSTED = "Tools of the provider cost more than tokens. Use tools of your own."

# Switches of what a provider does beyond answering, on any route.
EVERYWHERE = {
    "web_search_options": _SEARCH,
    "search_parameters": _SEARCH,
    "enable_search": _SEARCH,
    "search_options": _SEARCH,
    "web_search": _SEARCH,
    "enable_enhancement": _SEARCH,
    "search_settings": _SEARCH,
    "data_sources": _RETRIEVED,
    "dataSources": _RETRIEVED,
    "connectors": _RETRIEVED,
    "cached_content": f"The size of stored content is unknown. {_STORED}.",
    "compound_custom": HOSTED,
    "enable_code_interpreter": HOSTED,
    "plugins": HOSTED,
    "models": _OTHER_MODEL,
    "fallbacks": _OTHER_MODEL,
    "safety_model": _OTHER_MODEL,
    "image_config": "The size of a generated image decides its price. Leave the field out.",
    "deferred": "An answer that is fetched later cannot be metered. Use `stream` instead.",
}
_BEST_OF = "Answers that are generated but not returned cannot be counted. Use `n`."
COMPLETIONS = {**EVERYWHERE, "best_of": _BEST_OF}
CHAT = {
    **EVERYWHERE,
    "preset": "What a preset adds is stored at the provider. Send its content instead.",
    "chat_template": "A template can add text. Leave the field out to use the model's own.",
    "best_of": _BEST_OF,
}
RESPONSES = {
    **EVERYWHERE,
    "background": "A call in the background cannot be metered to its end. Use `stream` instead.",
    "conversation": f"The size of a stored conversation is unknown. {_STORED}.",
    "prompt": f"The size of a stored prompt is unknown. {_STORED}.",
    "context_management": "Compaction by the provider is another call. Compact in the client.",
}
MESSAGES = {
    **EVERYWHERE,
    "mcp_servers": "The provider would call these servers and then the model again. Connect to the"
    " servers in the client.",
    "container": f"What runs in a container is billed by time. {_STORED}.",
    "compaction": "Compaction by the provider is another call. Compact in the client.",
}
EMBEDDINGS = EVERYWHERE

# A field that no list knows is passed on, unless its name says that the provider would search, call
# tools or ask other models. Switches that turn this off, and filters of it, are harmless.
_HINTS = re.compile(
    r"(^|_)(web|search|searches|browse|browser|browsing|internet|crawl|grounding|retrieval"
    r"|retrieve|retriever|rag|knowledge|knowledge_base|vector_store|vector_stores|data_source"
    r"|datasource|datasources|connector|connectors|plugin|plugins|mcp|fallback|fallbacks"
    r"|code_interpreter|code_execution|enhancement|(?!^)tools)(_|$)"
)
_HARMLESS = re.compile(
    r"^(disable|disallow|no|exclude|return|show|without|allowed)_|_(filter|filters)$"
)
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAME_CHARACTERS_MAX = 64


def hinted_reason(name: str) -> str:
    """Why an unknown field is refused because of its name; "" if it is not."""
    # No provider has longer names, and the cache must not keep what a client makes up.
    return _reason_in_name(name) if len(name) <= _NAME_CHARACTERS_MAX else ""


# Clients send the same few fields with every request.
@lru_cache(maxsize=1024)
def _reason_in_name(name: str) -> str:
    words = _WORD_START.sub("_", name).lower().replace("-", "_")
    if not _HINTS.search(words) or _HARMLESS.search(words):
        return ""
    return (
        "By its name it lets the provider do more than answer, at a cost that is not known before"
        " the call. Leave it out."
    )
