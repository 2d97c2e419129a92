"""Whether the system has caught up: what is still on its way, and what is due and unsent."""

import time

import redis

from tests.chaos.databases import PUBLISHERS, READS, Databases
from tests.chaos.house import House

QUEUES = ("events", "tickets", "notifications")


def behind(house: House, databases: Databases, moment: float) -> list[str]:
    """What of before `moment` (true time) has not arrived, and what was due then and is unsent."""
    problems = [] if (health := house.health()) == "ok" else [f"health is {health}"]
    problems += [f"{name} is not up" for name in house.sick()]
    for publisher in PUBLISHERS:
        unsent = databases.one(
            publisher,
            "SELECT count(*) FROM outbox WHERE created_at <= to_timestamp(%s)"
            " AND (position IS NULL OR sent_at IS NULL)",
            [moment],
        )
        if unsent:
            problems.append(f"{unsent} messages of {publisher} are on no queue")
    problems += _unread(databases, moment)
    due = databases.one(
        "notifications",
        "SELECT (SELECT count(*) FROM reminder_schedules WHERE state = 'pending'"
        "  AND due_at <= to_timestamp(%(t)s))"
        " + (SELECT count(*) FROM deliveries WHERE state IN ('pending', 'retry')"
        "  AND next_attempt_at <= to_timestamp(%(t)s))"
        " + (SELECT count(*) FROM deliveries WHERE state IN ('claimed', 'sending')"
        "  AND coalesce(sending_at, claimed_at) <= to_timestamp(%(t)s))",
        {"t": moment + house.offset},
    )
    if due:
        problems.append(f"{due} mails that are due have not left")
    return problems


def _unread(databases: Databases, moment: float) -> list[str]:
    problems = []
    for consumer, publishers in READS.items():
        cursors = dict(databases.rows(consumer, "SELECT source, position FROM feed_cursors"))
        for publisher in publishers:
            written = databases.one(
                publisher, "SELECT max(position) FROM outbox WHERE created_at <= to_timestamp(%s)", [moment]
            )
            if cursors.get(f"/{publisher}", 0) < (written or 0):
                problems.append(f"{consumer} has not read all of {publisher}")
    return problems


def restless(house: House, databases: Databases) -> list[str]:
    """What is still going on although nobody asks for anything: nothing, once the system is settled."""
    now = house.now()
    problems = behind(house, databases, time.time())
    waiting = databases.one(
        "notifications",
        "SELECT (SELECT count(*) FROM deliveries WHERE state IN ('pending', 'retry', 'claimed', 'sending'))"
        " + (SELECT count(*) FROM reminder_schedules WHERE state = 'pending'"
        "  AND (kind <> 'reminder' OR due_at <= to_timestamp(%s)))",
        [now],
    )
    if waiting:
        problems.append(f"{waiting} mails or notices wait")
    try:
        problems += _queued(house)
    except redis.RedisError as error:
        problems.append(f"Redis does not answer: {error}")
    return problems


def _queued(house: House) -> list[str]:
    client = house.redis()
    lengths = {queue: client.llen(queue) for queue in QUEUES}
    client.close()
    return [f"{n} messages are on the queue {queue}" for queue, n in lengths.items() if n]
