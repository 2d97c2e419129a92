"""What a mailing will look like and do: preview, test mail to oneself, pre-flight."""

from typing import Any

from fastapi import APIRouter, Body, Depends, Query

from services.notifications import commands, projections, store
from services.notifications.api.shapes import (
    DeliveryQueued,
    Lead,
    Locale,
    MailKind,
    Preflight,
    Preview,
    TestMailRequest,
)
from services.notifications.api.wiring import NO_EVENT, Doors, event_for_staff
from services.notifications.mail.compose import Composer, show
from services.notifications.mail.render import LinkBase
from services.notifications.mail.samples import Sample
from services.notifications.mail.words import language
from services.notifications.model import Kind
from shared.auth import Principal
from shared.http import Conflict, problems
from shared.messages import new_id


def router(doors: Doors) -> APIRouter:
    """For admins, superusers and the event's organizer."""
    router = APIRouter(prefix="/api/notifications/events/{event_id}")
    signed_in = doors.authenticator.required
    refusals = problems(403, 404, _404=NO_EVENT)
    composer = Composer(doors.mail.sender, LinkBase(doors.mail.public_url, doors.mail.link_secret))

    @router.get("/preview", response_model=Preview, responses=refusals)
    def preview(
        event_id: str,
        kind: MailKind = Query("reminder"),
        lead: Lead | None = Query(None),
        locale: Locale = Query("en"),
        caller: Principal = Depends(signed_in),
    ) -> dict[str, str]:
        """A mail as a holder would get it, with an example of a ticket code."""
        with doors.engine.connect() as connection:
            event = event_for_staff(connection, event_id, caller)
            now = store.database_now(connection, doors.reminders.clock_offset)
        claim = commands.sample_claim(event, lead, doors.reminders, now)
        return show(composer, claim, Sample(Kind(kind), locale))

    @router.post(
        "/test-mail",
        status_code=202,
        response_model=DeliveryQueued,
        responses=problems(403, 404, 409, _404=NO_EVENT, _409="Nobody knows the caller's address yet."),
    )
    def test_mail(
        event_id: str,
        wanted: TestMailRequest | None = Body(default=None),
        caller: Principal = Depends(signed_in),
    ) -> dict[str, str]:
        """Sends a mail to the caller's own address, so that he sees what holders will see."""
        asked = wanted or TestMailRequest()
        with doors.engine.begin() as connection:
            event = event_for_staff(connection, event_id, caller)
            person = projections.find_holder(connection, caller.id)
            if person is None or not person.email:
                raise Conflict("Nobody has told this service your address yet; try again in a moment.")
            sample = Sample(Kind(asked.kind), asked.locale or language(person.locale))
            id_ = commands.queue_test(
                connection, event, caller.id, sample.write(new_id()), asked.lead, doors.reminders
            )
        return {"id": str(id_)}

    @router.get("/preflight", response_model=Preflight, responses=refusals)
    def preflight(
        event_id: str, lead: Lead | None = Query(None), caller: Principal = Depends(signed_in)
    ) -> dict[str, Any]:
        """Whom the next reminder would reach, and when the last mail would leave at the configured rate."""
        with doors.engine.connect() as connection:
            event = event_for_staff(connection, event_id, caller)
            return commands.preflight(connection, event, lead, doors.reminders, doors.mail.rate_per_second)

    return router
