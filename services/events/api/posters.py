"""The public calls on posters."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool

from services.events import model, pictures, posters
from services.events.api.form import MAX_IMAGE_BYTES, read_form
from services.events.api.shapes import PosterBody, PosterLink
from services.events.api.wiring import Caller, EventId, Visitor, Wired, Wiring, refusals
from services.events.poster_store import Poster
from shared.auth import Principal
from shared.http import DependencyDown, Forbidden, Invalid, NotFound, problems

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/api/events", tags=["posters"])

# Decoding takes up to 160 MB, and is done one by one.
_PATIENCE_SECONDS = 20
_FOREVER = "public, max-age=31536000, immutable"
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image", "event"],
                    "properties": {
                        "image": {
                            "type": "string",
                            "format": "binary",
                            "description": f"PNG, JPEG, GIF or WebP, at most {MAX_IMAGE_BYTES} bytes.",
                        },
                        "event": {"type": "string", "format": "uuid", "description": "The event's id."},
                    },
                },
            }
        },
    }
}
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The picture.",
        "content": {
            media_type: {"schema": {"type": "string", "format": "binary"}}
            for media_type, _ in pictures.FORMATS.values()
        },
    }
}


def _uploader(caller: Caller) -> Principal:
    if not model.may_create(caller):
        raise Forbidden("Only organizers and admins upload posters.")
    return caller


@router.post(
    "/upload",
    status_code=201,
    openapi_extra=_FORM,
    responses=problems(403, 404, 409, _409="The event has 50 posters already."),
)
async def upload_poster(
    caller: Annotated[Principal, Depends(_uploader)], wired: Wired, request: Request
) -> PosterBody:
    """Takes a picture for an event. What it is decides its content; the client's file name is not used."""
    if wired.uploads.locked():
        raise DependencyDown("Too many pictures are on their way.")
    async with wired.uploads:
        event, image = await read_form(request)
        event_id = _named_event(event)
        with refusals():
            content_type, ending = await _sniff(wired, image)
        poster = await run_in_threadpool(_store, wired, caller, event_id, image, content_type, ending)
    return PosterBody(id=poster.id, image=poster.name)


async def _sniff(wired: Wiring, image: bytes) -> tuple[str, str]:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS), wired.decoding:
            return await run_in_threadpool(pictures.sniff, image)
    except TimeoutError:
        raise DependencyDown("Too many pictures are waiting to be looked at.") from None


def _store(
    wired: Wiring, caller: Principal, event_id: str, image: bytes, content_type: str, ending: str
) -> Poster:
    with wired.transaction() as connection:
        poster = posters.begin_upload(connection, event_id, caller, content_type, ending)
    with refusals():
        wired.posters.write(poster.name, image, content_type)
    with wired.transaction() as connection:
        is_shown = posters.finish_upload(connection, poster, caller)
    if not is_shown:
        raise NotFound("The event is gone.")
    return poster


def _named_event(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise Invalid.field("event", "is not the id of an event") from None


@router.get("/{event_id:uuid}/poster", responses=problems(404, _404="There is no such event."))
def list_posters(event_id: EventId, caller: Visitor, wired: Wired) -> list[PosterLink]:
    """The posters of an event, oldest first; of a draft only for those who may edit it."""
    with wired.transaction() as connection:
        found = posters.list_posters(connection, event_id, caller)
    return [
        PosterLink(id=poster.id, image=poster.name, url=f"/api/events/posters/{poster.name}/")
        for poster in found
    ]


@router.get(
    "/posters/{name}",
    response_class=Response,
    responses={**_PICTURE, **problems(404, _404="There is no such poster.")},
)
def get_poster(name: str, caller: Visitor, wired: Wired) -> Response:
    """The picture. A name never stands for another picture, so whoever got it may keep it."""
    with wired.transaction() as connection:
        poster, is_public = posters.get_poster(connection, name, caller)
    with refusals():
        content = wired.posters.read(poster.name)
    if content is None:
        log.error("poster.file_missing", poster=poster.name)
        raise NotFound("The picture is missing.")
    headers = {
        "Cache-Control": _FOREVER if is_public else "private, no-store",
        "Content-Disposition": f'inline; filename="{poster.name}"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type=poster.content_type, headers=headers)
