"""The commands on posters; the caller owns the transactions.

A file is stored between two transactions: a row that names it, the file, the row again. Whatever breaks in
between leaves a row, and sweeper.py removes what such rows name.
"""

from uuid import uuid4

import sqlalchemy as sa

from services.events import handlers, poster_store
from services.events.errors import EventNotFound, NotAllowed, PosterNotFound, TooManyPosters
from services.events.poster_store import Poster
from services.events.storage import NAME
from shared.auth import Principal
from shared.messages import new_id

MOST_POSTERS = 50


def begin_upload(
    connection: sa.Connection, event_id: str, caller: Principal, content_type: str, ending: str
) -> Poster:
    """Names a new poster of an event the caller may change, before its file is stored."""
    handlers.lock_own(connection, event_id, caller)
    if poster_store.count_of_event(connection, event_id) >= MOST_POSTERS:
        raise TooManyPosters(f"The event has {MOST_POSTERS} posters already.")
    poster = Poster(new_id(), event_id, f"{uuid4().hex}.{ending}", content_type)
    poster_store.add_upload(connection, poster)
    return poster


def finish_upload(connection: sa.Connection, poster: Poster, caller: Principal) -> bool:
    """Shows the poster whose file is stored; False, and the file is left to the sweeper, if its event went
    meanwhile or is no longer the caller's.
    """
    try:
        handlers.lock_own(connection, poster.event_id, caller)
    except (EventNotFound, NotAllowed):
        poster_store.give_up(connection, poster.id)
        return False
    return poster_store.finish_upload(connection, poster.id)


def list_posters(connection: sa.Connection, event_id: str, caller: Principal | None) -> list[Poster]:
    """The posters of an event the caller may see."""
    handlers.get_event(connection, event_id, caller)
    return poster_store.list_of_event(connection, event_id)


def get_poster(connection: sa.Connection, name: str, caller: Principal | None) -> tuple[Poster, bool]:
    """(the poster with this file name, whether anybody may see it); raises PosterNotFound."""
    poster = poster_store.find_by_name(connection, name) if NAME.fullmatch(name) else None
    if poster is None:
        raise PosterNotFound("There is no such poster.")
    try:
        event = handlers.get_event(connection, poster.event_id, caller)
    except EventNotFound:
        raise PosterNotFound("There is no such poster.") from None
    return poster, not event.is_draft
