"""Live pages: what changes on a page comes by itself, as a stream of server-sent events.

A view makes its page live by registering what changes on it, under the kind of page that
`common.links` knows:

    def _fragments(request: HttpRequest, now: datetime) -> str:
        return render_to_string("dashboard/live/spend.html", _context(request, now), request)

    live.register("spend", permission="keys.view_charge", fragments=_fragments)

The text is a row of `<hx-partial hx-target="#an-id" hx-swap="innerMorph">…</hx-partial>`. The
request is one for the default view of the page, by an `Audience`: all people with the same
permissions on the same cost centres. The text is rendered once for all of them, at most once a
second, and sent to all if it has changed. So it has no forms and does not say who looks; an SVG is
always sent whole; and what a person opens or writes in keeps its id.

The template shows the state, and marks what is greyed while no stream comes:

    {% live "spend" own_view=is_filtered %}
    <div class="live" id="an-id">…</div>

With `own_view`, on a page with filters or a range of one's own, nothing is replaced: a line says
since when there are new charges.

The page of a row is registered by `live.register_row`, with who sees the row; its fragments get the
key of the row, and its template names it: `{% live "task" row=task.pk %}`.

`app` is the ASGI application, `hub` renders and sends, `admission` says who may.
"""

from dashboard.live.pages import register, register_row

__all__ = ["register", "register_row"]
