"""Headers of Butler's own in the gateway's responses."""

from gateway.requests import Headers


def request_id_headers(request_id: str) -> Headers:
    """The id of the request, under Butler's name and under those that both vendors' SDKs read."""
    value = request_id.encode()
    return [(name, value) for name in (b"x-butler-request-id", b"x-request-id", b"request-id")]


def call_headers(
    *,
    request_id: str,
    charge_id: int,
    key_id: str | None = None,
    model: str = "",
    fallback: str = "",
    output_max: int | None = None,
) -> Headers:
    """What every response says of its call: the request, the charge, the API key, the model, for
    which model and why it served instead, and how long an answer can be if the budget left no
    more."""
    headers = [*request_id_headers(request_id), (b"x-butler-charge-id", str(charge_id).encode())]
    if key_id:
        headers.append((b"x-butler-key-id", key_id.encode()))
    if model:
        headers.append((b"x-butler-model", model.encode("ascii", "replace")))
    if fallback:
        headers.append((b"x-butler-fallback", fallback.encode("ascii", "replace")))
    if output_max is not None:
        headers.append((b"x-butler-output-max", str(output_max).encode()))
    return headers
