"""Consuming: each message is noted in the inbox, in the transaction of its effect.

tables.py    the rows                       store.py   every query
receiver.py  one message or a batch, once   reader.py  what the queue lost, from the publishers' feeds
"""

from shared.inbox.dead_letters import dead_letter_router
from shared.inbox.reader import FeedReader
from shared.inbox.receiver import Handler, Receiver
from shared.inbox.tables import define_inbox

__all__ = ["FeedReader", "Handler", "Receiver", "dead_letter_router", "define_inbox"]
