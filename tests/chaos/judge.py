"""Whether each holder got exactly what he should: the book against the mails, whenever all is quiet."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from tests.chaos.book import NEVER, Book, Event, Ticket, Truth
from tests.chaos.mailroom import Mail, delivery_of

# A reminder may leave so many seconds before its moment: the soak's clock and PostgreSQL's are read apart.
_EARLY_SECONDS = 1.5


class Judge:
    """Takes the mails in the order they came; `settle` is called when nothing is on its way."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._settled = 0.0
        self._mails: dict[tuple[str, str], list[Mail]] = defaultdict(list)
        self.copies: Counter[str] = Counter()
        # Mails whose like had come before.
        self.extra: list[Mail] = []

    def take(self, mails: Sequence[Mail]) -> list[str]:
        """What is wrong with each of them by itself."""
        problems = []
        for mail in mails:
            self.copies[mail.message_id] += 1
            if self.copies[mail.message_id] > 1:
                # The same bytes as before, whatever is true by now.
                self.extra.append(mail)
                continue
            problems += [f"{problem}: {mail}" for problem in self._wrong_with(mail)]
        return problems

    def _wrong_with(self, mail: Mail) -> Iterable[str]:
        person = self._book.people.get(self._book.by_address.get(mail.address.lower(), ""))
        event = self._book.events.get(mail.event_id)
        if person is None or event is None:
            yield "a mail to a stranger"
            return
        self._mails[person.id, event.id].append(mail)
        if mail.address.lower() not in {a.lower() for a in person.addresses_since(self._settled)}:
            yield "a mail to an old address"
        if not any(_says(mail, truth) for truth in event.truths_since(self._settled)):
            yield f"a mail that says what was not true any more ({event.truths})"
        held = [t for t in self._tickets(person.id, event.id) if t.gone >= self._settled]
        if not held:
            yield "a mail to one who had no ticket any more"
        if mail.kind == "reminder" and mail.at < mail.starts_at - max(event.leads) - _EARLY_SECONDS:
            yield "a reminder that came early"

    def settle(self, quiet: float, now: float) -> tuple[list[str], list[str]]:
        """(what somebody should have and has not, what he has too often), all mails until `now` being taken.

        At `quiet` nothing was on its way; since then something may have fallen due.
        """
        lost, wrong = [], []
        holdings: dict[tuple[str, str], list[Ticket]] = defaultdict(list)
        for ticket in self._book.tickets.values():
            holdings[ticket.user_id, ticket.event_id].append(ticket)
        for (user_id, event_id), tickets in holdings.items():
            event = self._book.events[event_id]
            if event.retired:
                continue
            mails = self._mails[user_id, event_id]
            where = f"{user_id} of {event_id}"
            wrong += [f"{where}: {problem}" for problem in _too_many(event, tickets, mails, now)]
            lost += [f"{where}: {problem}" for problem in _unconfirmed(event, tickets, mails)]
            if any(ticket.gone_asked == NEVER for ticket in tickets):
                missing = [*_unreminded(event, tickets, mails, quiet), *_untold(event, mails)]
                lost += [f"{where}: {problem}" for problem in missing]
        self._settled = quiet
        return lost, wrong

    def copies_of_deliveries(self) -> dict[int, int]:
        """delivery -> how many copies of its mail came."""
        return {delivery_of(message_id): count for message_id, count in self.copies.items()}

    def retire(self, now: float, margin: float) -> None:
        """Leaves events alone that start within `margin` seconds; they were looked at just now."""
        for event in self._book.events.values():
            if event.truth.starts_at - now < margin:
                event.retired = True

    def _tickets(self, user_id: str, event_id: str) -> list[Ticket]:
        return [t for t in self._book.tickets.values() if (t.user_id, t.event_id) == (user_id, event_id)]

    @property
    def received(self) -> int:
        """How many mails came, each once."""
        return len(self.copies)


def _says(mail: Mail, truth: Truth) -> bool:
    """Whether a mail says this; that an event is off is told with its old place."""
    if mail.kind == "cancelled":
        return truth.off
    return not truth.off and (mail.starts_at, mail.location) == (truth.starts_at, truth.location)


def _reminders(event: Event, mails: Sequence[Mail]) -> list[Mail]:
    """Those for the start that is true now."""
    return [mail for mail in mails if mail.kind == "reminder" and mail.starts_at == event.truth.starts_at]


def _due(event: Event, now: float) -> list[float]:
    """When reminders for the present start were due until now, the earliest first."""
    moments = [event.truth.starts_at - lead for lead in event.leads]
    return sorted(moment for moment in moments if moment <= now)


def _confirmations(ticket: Ticket, mails: Sequence[Mail]) -> list[Mail]:
    return [mail for mail in mails if mail.confirms and mail.codes[:1] == (ticket.code,)]


def _unreminded(
    event: Event, tickets: Sequence[Ticket], mails: Sequence[Mail], quiet: float
) -> Iterable[str]:
    got, due = _reminders(event, mails), _due(event, quiet - _EARLY_SECONDS)
    if event.truth.off or not due:
        return
    if not got:
        yield f"no reminder for {event.truth.starts_at}"
        return
    nearest = due[-1]
    had_it = any(ticket.answered < nearest and ticket.gone_asked == NEVER for ticket in tickets)
    # Who had his ticket, for this start, before the last of them was due has had one since then.
    if had_it and event.truth.answered < nearest and max(mail.at for mail in got) < nearest - _EARLY_SECONDS:
        yield f"no reminder of the lead time nearest to {event.truth.starts_at}"


def _unconfirmed(event: Event, tickets: Sequence[Ticket], mails: Sequence[Mail]) -> Iterable[str]:
    for ticket in tickets:
        was_off = any(truth.off for truth in event.truths_since(ticket.asked))
        if ticket.gone_asked == NEVER and not was_off and not _confirmations(ticket, mails):
            yield f"order {ticket.id} was not confirmed"


def _untold(event: Event, mails: Sequence[Mail]) -> Iterable[str]:
    if not mails:
        yield f"knows nothing of {event.truth}"
        return
    newest = max(mails, key=lambda mail: (mail.sequence, mail.at))
    if not _says(newest, event.truth):
        yield f"was told last {newest.kind} {newest.sequence}, and not of {event.truth}"


def _too_many(event: Event, tickets: Sequence[Ticket], mails: Sequence[Mail], now: float) -> Iterable[str]:
    got, due = _reminders(event, mails), _due(event, now + _EARLY_SECONDS)
    if len(got) > len(due):
        yield f"{len(got)} reminders for {event.truth.starts_at}, {len(due)} were due"
    notices = sum(mail.kind in ("moved", "cancelled") for mail in mails)
    if notices >= len(event.truths):
        yield f"{notices} notices of {len(event.truths) - 1} changes"
    for ticket in tickets:
        if (count := len(_confirmations(ticket, mails))) > 1:
            yield f"order {ticket.id} was confirmed {count} times"
