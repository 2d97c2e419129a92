"""How far a sending loop has gone through what is due; pure."""

from dataclasses import dataclass
from typing import NamedTuple

from services.notifications.leases import Place, Taken


class Look(NamedTuple):
    """Where a look at what is due began, and how much news there had been."""

    place: Place | None
    news: int


@dataclass(slots=True)
class Front:
    """Looks go on behind the last place: what lies before it was taken, by us or by others. Several looks may
    be under way at once. `dry`: a look from the very front has found less than it could take, and no news
    came since it began.
    """

    place: Place | None = None
    dry: bool = True
    _news: int = 0

    def arrived(self) -> None:
        """There may be more."""
        self._news += 1
        self.dry = False

    def rewind(self) -> None:
        """Something may have come back behind the place."""
        self.place = None

    def look(self) -> Look:
        """Begins a look."""
        return Look(self.place, self._news)

    def seen(self, look: Look, taken: Taken, limit: int) -> None:
        """Ends a look that could have taken `limit`."""
        unmoved = self.place == look.place
        if taken.seen >= limit:
            if unmoved or (self.place and taken.last and taken.last > self.place):
                self.place = taken.last
        elif unmoved:
            # Once more from the front, before it is called dry.
            self.dry = look.place is None and look.news == self._news
            self.place = None
