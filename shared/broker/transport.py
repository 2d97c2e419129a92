"""Redis as kombu sees it, but for bytes that kombu cannot read.

kombu decodes each queue item as JSON below every callback: an item that is not a kombu message (a raw
`LPUSH`) raises there and ends the worker. Here it becomes a message whose body is the item.
"""

import base64
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kombu.transport import redis
from kombu.transport.virtual import Empty
from kombu.utils.encoding import bytes_to_str
from kombu.utils.uuid import uuid


def as_kombu_message(item: bytes, queue: str) -> dict[str, Any]:
    """The message in a queue item, or one made around an item that is none."""
    try:
        message = json.loads(item)
        if isinstance(message["body"], str) and message["properties"]["delivery_tag"]:
            message["properties"].setdefault("delivery_info", {"exchange": "", "routing_key": queue})
            message.setdefault("headers", {})
            return message
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass  # not a kombu message: it is wrapped below, and nothing of it is lost
    return {
        "body": base64.b64encode(item).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {
            "body_encoding": "base64",
            "delivery_tag": uuid(),
            "delivery_info": {"exchange": "", "routing_key": queue},
        },
    }


# What kombu keeps of an unacknowledged message is [message, exchange, routing key].
_TAKE_AT_HAND = """
local taken = {}
for n = 1, tonumber(ARGV[1]) do
  local item = redis.call('RPOP', KEYS[1])
  if not item then break end
  local read, message = pcall(cjson.decode, item)
  local whole = read and type(message) == 'table' and type(message.body) == 'string'
  local properties = whole and message.properties
  local tag = type(properties) == 'table' and properties.delivery_tag
  if type(tag) ~= 'string' or redis.call('HEXISTS', KEYS[2], tag) == 1 then
    redis.call('RPUSH', KEYS[1], item)
    break
  end
  redis.call('ZADD', KEYS[3], ARGV[2], tag)
  redis.call('HSET', KEYS[2], tag, '[' .. item .. ',"",' .. ARGV[3] .. ']')
  taken[n] = item
end
return taken
"""


class TolerantChannel(redis.Channel):
    """A channel on which every queue item becomes a message."""

    _commands: Any = None

    def _brpop_read(self, **options: Any) -> bool:
        # As in the parent, with as_kombu_message in the place of loads.
        try:
            try:
                popped = self.client.parse_response(self.client.connection, "BRPOP", **options)
            except self.connection_errors:
                self.client.connection.disconnect()
                raise
            if not popped:
                raise Empty()
            key, item = popped
            queue = bytes_to_str(key).rsplit(self.sep, 1)[0]
            self._queue_cycle.rotate(queue)
            self.connection._deliver(as_kombu_message(item, queue), queue)
            return True
        finally:
            self._in_poll = False
            self._flush_brpop_reauth()

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        with self.conn_or_acquire() as client:
            for priority in self.priority_steps:
                item = client.rpop(self._q_for_pri(queue, priority))
                if item:
                    return as_kombu_message(item, queue)
        raise Empty()

    def take_at_hand(self, queue: str, limit: int) -> list[bytes]:
        """Up to `limit` further items of a queue, noted as unacknowledged in the same moment.

        Unlike a message that BRPOP brought, none of them can be lost between the two. An item that is not a
        kombu message stays where it is, and is the end.
        """
        keys = (self._q_for_pri(queue, 0), self.unacked_key, self.unacked_index_key)
        with self._kept_client() as client:
            return client.eval(_TAKE_AT_HAND, len(keys), *keys, limit, time.time(), json.dumps(queue))

    def settle(self, tags: Sequence[str]) -> None:
        """Acknowledges messages of take_at_hand()."""
        with self._kept_client() as client, client.pipeline() as pipe:
            pipe.hdel(self.unacked_key, *tags).zrem(self.unacked_index_key, *tags).execute()

    def put_back(self, queue: str, items: Sequence[bytes], tags: Sequence[str]) -> None:
        """Gives items of take_at_hand() back to their queue: they are the next ones."""
        with self._kept_client() as client, client.pipeline() as pipe:
            pipe.rpush(self._q_for_pri(queue, 0), *reversed(items))
            pipe.hdel(self.unacked_key, *tags).zrem(self.unacked_index_key, *tags).execute()

    @contextmanager
    def _kept_client(self) -> Iterator[Any]:
        """A client for commands; kombu makes one for each of them, which takes longer than the command."""
        client = self._commands
        if client is None or client.connection_pool is not self.pool:
            client = self._commands = self._create_client()
        yield client


class TolerantTransport(redis.Transport):
    """kombu's Redis transport with that channel."""

    Channel = TolerantChannel
