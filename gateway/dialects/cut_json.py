"""The beginning of a JSON text as a whole one, for answers that broke off."""

import re

# A quotation mark alone is that of a string that was cut.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|["{}\[\],:]', re.DOTALL)
_CLOSING = {"{": "}", "[": "]"}
# A string as far as its characters are whole.
_STRING = re.compile(r'"(?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*', re.DOTALL)
_HALF_A_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}$")


def closed(beginning: bytes) -> bytes:
    """What has come of an object or a list, closed: a text that has begun ends where it was cut, a
    number or a name that may lack its end is left out."""
    text = beginning.decode(errors="ignore")
    open_ones: list[str] = []
    last, end, whole_until = "", 0, 0
    for token in _TOKENS.finditer(text):
        if token[0] == '"':
            break
        last, end = token[0], token.end()
        if last in _CLOSING:
            open_ones.append(_CLOSING[last])
        elif open_ones and last == open_ones[-1]:
            open_ones.pop()
        elif last != ",":
            continue
        whole_until = token.start() if last == "," else end
    closing = "".join(reversed(open_ones))
    is_value = last in (":", "[") or (last == "," and closing.startswith("]"))
    if is_value and (cut := _STRING.search(text, end)):
        return f'{_HALF_A_PAIR.sub("", text[: cut.end()])}"{closing}'.encode()
    return f"{text[:whole_until]}{closing}".encode()
