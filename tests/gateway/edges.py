"""The table of edges: five moments of a call, six causes, streamed and whole.

What cannot happen is in `CANNOT_BE`, with the reason.
"""

from typing import NamedTuple

from tests.gateway import wire

MOMENTS = ("before connecting", "sent", "after head", "mid-answer", "after usage")
CAUSES = ("client gone", "timeout", "cut", "malformed", "error", "shut down")


class Cell(NamedTuple):
    """One thing that goes wrong, and what comes of it.

    `how`: what the sandbox is told, or the name of a provider in `WIRES`. `sees`: the status, and
    `error`: at the end of a stream an error, `broken`: the connection closed on it; or `no one`:
    the client has gone.
    `ends`: the charge is not made, released, or settled at what the `provider` said, at what it had
    `said` before it broke off, at what was `counted`, or at all of the `hold`.
    """

    moment: str
    cause: str
    form: str
    how: str
    sees: str
    ends: str


CELLS = [
    Cell("before connecting", "client gone", "stream", "", "no one", "not made"),
    Cell("before connecting", "client gone", "whole", "", "no one", "not made"),
    Cell("before connecting", "timeout", "stream", "no_answer", "502", "released"),
    Cell("before connecting", "timeout", "whole", "no_answer", "502", "released"),
    Cell("before connecting", "cut", "stream", "no_server", "502", "released"),
    Cell("before connecting", "cut", "whole", "no_server", "502", "released"),
    Cell("before connecting", "shut down", "stream", "no_answer", "503", "hold"),
    Cell("before connecting", "shut down", "whole", "no_answer", "503", "hold"),
    Cell("sent", "client gone", "stream", "stall=before_headers", "no one", "hold"),
    Cell("sent", "client gone", "whole", "stall=before_headers", "no one", "hold"),
    Cell("sent", "timeout", "stream", "stall=before_headers", "504", "hold"),
    Cell("sent", "timeout", "whole", "stall=before_headers", "504", "hold"),
    Cell("sent", "cut", "stream", "cut=before_headers", "504", "hold"),
    Cell("sent", "cut", "whole", "cut=before_headers", "504", "hold"),
    Cell("sent", "malformed", "stream", "no_http", "504", "hold"),
    Cell("sent", "malformed", "whole", "no_http", "504", "hold"),
    Cell("sent", "error", "stream", "status=503", "503", "released"),
    Cell("sent", "error", "whole", "status=503", "503", "released"),
    Cell("sent", "shut down", "stream", "stall=before_headers", "503", "hold"),
    Cell("sent", "shut down", "whole", "stall=before_headers", "503", "hold"),
    Cell("after head", "client gone", "stream", "stall=after_headers", "no one", "hold"),
    Cell("after head", "client gone", "whole", "stall=after_headers", "no one", "hold"),
    Cell("after head", "timeout", "stream", "stall=after_headers", "200 error", "hold"),
    Cell("after head", "timeout", "whole", "stall=after_headers", "504", "hold"),
    Cell("after head", "cut", "stream", "cut=after_headers", "200 error", "hold"),
    Cell("after head", "cut", "whole", "cut=after_headers", "504", "hold"),
    Cell("after head", "malformed", "stream", "no_event", "200 error", "hold"),
    Cell("after head", "malformed", "whole", "no_body", "504", "hold"),
    Cell("after head", "error", "stream", "error_first", "200", "released"),
    Cell("after head", "error", "whole", "error_body", "200", "released"),
    Cell("after head", "shut down", "stream", "stall=after_headers", "200 broken", "hold"),
    Cell("after head", "shut down", "whole", "stall=after_headers", "503", "hold"),
    Cell("mid-answer", "client gone", "stream", "stall=mid", "no one", "counted"),
    Cell("mid-answer", "client gone", "whole", "stall=mid", "no one", "counted"),
    Cell("mid-answer", "timeout", "stream", "stall=mid", "200 error", "counted"),
    Cell("mid-answer", "timeout", "whole", "stall=mid", "504", "counted"),
    Cell("mid-answer", "cut", "stream", "cut=mid", "200 error", "counted"),
    Cell("mid-answer", "cut", "whole", "cut=mid", "504", "counted"),
    Cell("mid-answer", "malformed", "stream", "malformed=yes", "200", "provider"),
    Cell("mid-answer", "malformed", "whole", "malformed=yes", "502", "released"),
    Cell("mid-answer", "error", "stream", "error_event=yes", "200", "counted"),
    Cell("mid-answer", "shut down", "stream", "stall=mid", "200 broken", "counted"),
    Cell("mid-answer", "shut down", "whole", "stall=mid", "503", "counted"),
    Cell("after usage", "client gone", "stream", "stall=before_end", "no one", "said"),
    Cell("after usage", "timeout", "stream", "stall=before_end", "200 error", "said"),
    Cell("after usage", "cut", "stream", "cut=before_end", "200 error", "said"),
    Cell("after usage", "malformed", "stream", "usage=wrong", "200", "counted"),
    Cell("after usage", "malformed", "whole", "usage=wrong", "200", "counted"),
    Cell("after usage", "error", "stream", "error_last", "200", "provider"),
    Cell("after usage", "shut down", "stream", "stall=before_end", "200 broken", "said"),
]
_ONE_BODY = "a whole answer says its usage in the body that ends it"
_NO_ANSWER = "there is no answer yet, so nothing can be wrong with the answer"
CANNOT_BE = {
    ("before connecting", "malformed", "stream"): _NO_ANSWER,
    ("before connecting", "malformed", "whole"): _NO_ANSWER,
    ("before connecting", "error", "stream"): _NO_ANSWER,
    ("before connecting", "error", "whole"): _NO_ANSWER,
    ("mid-answer", "error", "whole"): "an answer that has begun with 200 cannot become a 5xx",
    ("after usage", "client gone", "whole"): _ONE_BODY,
    ("after usage", "timeout", "whole"): _ONE_BODY,
    ("after usage", "cut", "whole"): _ONE_BODY,
    ("after usage", "error", "whole"): _ONE_BODY,
    ("after usage", "shut down", "whole"): _ONE_BODY,
}
_FAILURE = {"error": {"type": "overloaded_error", "message": "no"}}
_LAST = {
    "openai": [
        {"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 6, "completion_tokens": 1, "total_tokens": 7}},
        _FAILURE,
    ],
    "anthropic": [
        {"type": "message_start", "message": {"usage": {"input_tokens": 6, "output_tokens": 0}}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hi"}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"input_tokens": 6, "output_tokens": 1},
        },
        {"type": "error", **_FAILURE},
    ],
}
WIRES = {
    "no_http": lambda wire_format: b"I am no HTTP.\r\n\r\n",
    "no_event": lambda wire_format: wire.STREAM + b"data: {half\n\nand no event at all",
    "no_body": lambda wire_format: wire.WHOLE,
    "error_first": lambda wire_format: wire.STREAM + wire.events(_LAST[wire_format][-1]),
    "error_body": lambda wire_format: wire.WHOLE + b'{"error": {"message": "no"}}',
    "error_last": lambda wire_format: wire.STREAM + wire.events(*_LAST[wire_format]),
}
