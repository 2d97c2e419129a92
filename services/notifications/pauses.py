"""Campaigns that rest: mails of one event and kind, one of which the mail server refused by its policy."""

from datetime import datetime

import sqlalchemy as sa

from services.notifications import leases, store
from services.notifications.errors import UnknownPause
from services.notifications.tables import campaign_pauses


def count_pauses(connection: sa.Connection, now: datetime) -> int:
    """How many campaigns rest now."""
    resting = sa.select(sa.func.count()).select_from(campaign_pauses)
    return connection.scalar(resting.where(campaign_pauses.c.paused_until > now)) or 0


def list_pauses(connection: sa.Connection, now: datetime, limit: int) -> list[sa.Row]:
    """The campaigns that rest now, the latest first."""
    resting = sa.select(campaign_pauses).where(campaign_pauses.c.paused_until > now)
    latest = resting.order_by(campaign_pauses.c.paused_at.desc(), campaign_pauses.c.event_id).limit(limit)
    return list(connection.execute(latest))


def resume(connection: sa.Connection, event_id: str, kind: str) -> None:
    """Ends a pause; what waited for its end is due now. Raises UnknownPause."""
    mine = (campaign_pauses.c.event_id == event_id) & (campaign_pauses.c.kind == kind)
    if connection.execute(sa.select(campaign_pauses.c.kind).where(mine).with_for_update()).first() is None:
        raise UnknownPause("This campaign does not rest.")
    leases.resume_campaign(connection, event_id, kind)
    store.notify(connection)
