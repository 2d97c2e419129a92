"""How often one client may try: a token bucket for each address, a bounded number of buckets."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable


class RateLimiter:
    """Allows `per_minute` attempts at once and refills evenly; forgets the least recent address when full."""

    def __init__(
        self, per_minute: int, clock: Callable[[], float] = time.monotonic, capacity: int = 10_000
    ) -> None:
        self._burst = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._capacity = capacity
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, address: str) -> int:
        """Takes one attempt of an address: 0 if allowed, else whole seconds until the next one."""
        key, now = _network(address), self._clock()
        tokens, since = self._buckets.pop(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._per_second)
        allowed = tokens >= 1
        self._buckets[key] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > self._capacity:
            self._buckets.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1 - tokens) / self._per_second))

    def __len__(self) -> int:
        return len(self._buckets)


def _network(address: str) -> str:
    """IPv6 clients own a whole /64 (RFC 6177), so they share one bucket."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:
        return address
    return str(ipaddress.ip_network((ip, 64), strict=False))
