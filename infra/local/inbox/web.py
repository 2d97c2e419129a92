"""The inbox over HTTP: a page for people and Mailpit's API for tests."""

import json
from html import escape
from typing import Any

from aiohttp import web

from infra.local.inbox.mailbox import Mail, Mailbox, details, summary

MAILBOX: web.AppKey[Mailbox] = web.AppKey("mailbox", Mailbox)
_PAGE_SIZE = 50

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem;color:#18181b}"
    "table{width:100%;border-collapse:collapse}"
    "td,th{text-align:left;padding:.5rem;border-bottom:1px solid #e4e4e7}"
    "pre{white-space:pre-wrap;background:#f4f4f5;padding:1rem}"
    "iframe{width:100%;height:30rem;border:1px solid #e4e4e7}"
)


def make_app(mailbox: Mailbox) -> web.Application:
    """The application."""
    app = web.Application()
    app[MAILBOX] = mailbox
    app.router.add_get("/", _list_page)
    app.router.add_get("/view/{id}", _mail_page)
    app.router.add_get("/livez", _live)
    app.router.add_get("/health/live", _live)
    app.router.add_get("/api/v1/messages", _list)
    app.router.add_delete("/api/v1/messages", _clear)
    app.router.add_get("/api/v1/message/{id}", _get)
    app.router.add_get("/api/v1/message/{id}/raw", _raw)
    return app


async def _live(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _list(request: web.Request) -> web.Response:
    start, limit = _number(request, "start", 0), min(_number(request, "limit", _PAGE_SIZE), 1000)
    mails, total = request.app[MAILBOX].newest(start, limit)
    messages = [summary(mail) for mail in mails]
    return web.json_response({"total": total, "messages_count": total, "start": start, "messages": messages})


async def _clear(request: web.Request) -> web.Response:
    request.app[MAILBOX].clear()
    return web.Response(text="ok")


async def _get(request: web.Request) -> web.Response:
    return web.json_response(details(_find(request)))


async def _raw(request: web.Request) -> web.Response:
    return web.Response(body=_find(request).source, content_type="text/plain")


async def _list_page(request: web.Request) -> web.Response:
    mails, total = request.app[MAILBOX].newest(0, 200)
    rows = "".join(_row(summary(mail)) for mail in mails)
    table = f"<table><tr><th>To<th>Subject<th>Came</tr>{rows}</table>" if rows else "<p>No mail yet.</p>"
    return _page("Inbox", f"<h1>Inbox ({total})</h1>{table}")


async def _mail_page(request: web.Request) -> web.Response:
    mail = details(_find(request))
    to = escape(", ".join(person["Address"] for person in mail["To"]))
    # What is in a mail is not trusted: its HTML runs in a frame without any right.
    frame = f'<iframe sandbox="" srcdoc="{escape(mail["HTML"])}"></iframe>' if mail["HTML"] else ""
    body = f"<h1>{escape(mail['Subject'])}</h1><p>To {to}</p>{frame}<pre>{escape(mail['Text'])}</pre>"
    return _page(mail["Subject"], body)


def _row(mail: dict[str, Any]) -> str:
    to = escape(", ".join(person["Address"] for person in mail["To"]))
    link = f'<a href="/view/{mail["ID"]}">{escape(mail["Subject"]) or "(no subject)"}</a>'
    return f"<tr><td>{to}<td>{link}<td>{mail['Created'][:19]}</tr>"


def _page(title: str, body: str) -> web.Response:
    text = f"<!doctype html><meta charset=utf-8><title>{escape(title)}</title><style>{_STYLE}</style>{body}"
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:"}
    return web.Response(text=text, content_type="text/html", headers=headers)


def _find(request: web.Request) -> Mail:
    mail = request.app[MAILBOX].find(request.match_info["id"])
    if mail is None:
        body = json.dumps({"Error": "message not found"})
        raise web.HTTPNotFound(text=body, content_type="application/json")
    return mail


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default
