"""Publishing: a message is first a row of its publisher's outbox, in the transaction that made it true.

tables.py  the rows            store.py  every query
relay.py   to the queues       feed.py   the same rows as a feed over HTTP
"""

from shared.outbox.feed import feed_router
from shared.outbox.relay import Relay
from shared.outbox.store import publish
from shared.outbox.tables import define_outbox

__all__ = ["Relay", "define_outbox", "feed_router", "publish"]
