"""The links in mails by which people end their reminders: one click (RFC 8058), and a page."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy import Connection

from services.notifications import commands
from services.notifications.api.wiring import Doors
from services.notifications.errors import LinkRefused
from services.notifications.link_tokens import UnsubscribeLink, read_token

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "pages"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
)


def router(doors: Doors) -> APIRouter:
    """For anyone who has a link; the token is all that counts."""
    router = APIRouter(prefix="/unsubscribe")
    pages: dict[int | str, dict] = {
        404: {"description": "The link is not one of ours.", "content": {"text/html": {}}}
    }

    @router.get("/{token}", response_class=HTMLResponse, responses=pages)
    def show(token: str) -> HTMLResponse:
        """The page for people: what they get now, and buttons to change it. Looking changes nothing."""
        try:
            link = read_token(doors.mail.link_secret, token)
        except LinkRefused:
            return _page("refused.html", 404)
        with doors.engine.connect() as connection:
            return _state(connection, link)

    @router.post("/{token}", response_class=HTMLResponse, responses=pages)
    def change(token: str, wanted: Annotated[str, Form(max_length=20)] = "organizer") -> HTMLResponse:
        """Ends reminders of the organizer (one click, RFC 8058), of all (`wanted=all`), or has them again
        (`wanted=none`). Cancellations and moves still come.
        """
        try:
            link = read_token(doors.mail.link_secret, token)
        except LinkRefused:
            return _page("refused.html", 404)
        with doors.engine.begin() as connection:
            commands.change_subscription(connection, link, wanted, doors.reminders)
            return _state(connection, link)

    return router


def _state(connection: Connection, link: UnsubscribeLink) -> HTMLResponse:
    return _page("unsubscribe.html", 200, **commands.subscription(connection, link))


def _page(name: str, status: int, **words: object) -> HTMLResponse:
    return HTMLResponse(_PAGES.get_template(name).render(words), status, _HEADERS)
