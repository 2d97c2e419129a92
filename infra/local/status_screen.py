"""The frame of scripts/status; from facts to something rich can print, pure."""

from datetime import datetime, timedelta
from typing import Literal

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from infra.local.status_facts import Facts

_GAP = 4
_COLOURS = {"ok": "green", "down": "bold red", "no answer": "yellow"}


def render(facts: Facts, width: int) -> RenderableType:
    """The whole screen, in two columns where they fit."""
    wrong = [process.name for process in facts.processes if process.health != "ok"]
    state = f"[bold red]{', '.join(wrong)}: not well[/]" if wrong else "[green]all processes are well[/]"
    title = Text.from_markup(f"DicoEvent {facts.api_url}  {facts.at:%H:%M:%S}  {state}")
    left, right = Group(_processes(facts), _reminders(facts)), Group(_messages(facts))
    top: RenderableType = Group(left, right)
    if _widest(left) + _GAP + _widest(right) <= width:
        grid = Table.grid(padding=(0, _GAP, 0, 0))
        grid.add_row(left, right)
        top = grid
    return Group(title, top, _due(facts), _failed(facts))


def _widest(part: Group) -> int:
    console = Console(width=10_000)
    return max(console.measure(piece).maximum for piece in part.renderables)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold", pad_edge=False)
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        table.add_column(column.lstrip(">"), justify=justify, no_wrap=True)
    return table


def _processes(facts: Facts) -> Table:
    table = _table("Processes", "name", ">pid", ">up", ">restarts", "health")
    for process in facts.processes:
        health = f"[{_COLOURS[process.health]}]{process.health}[/]"
        up = "" if process.up_seconds is None else duration(process.up_seconds)
        table.add_row(process.name, str(process.pid or "-"), up, str(process.restarts), health)
    return table


def _number(facts: Facts, name: str, *labels: str) -> str:
    value = facts.numbers.get(name, {}).get(labels)
    return "?" if value is None else f"{value:.0f}"


def _age(facts: Facts, name: str, *labels: str) -> str:
    value = facts.numbers.get(name, {}).get(labels)
    if value is None:
        return "?"
    text = duration(value) if value else "-"
    return f"[bold red]{text}[/]" if value > 60 else text


def _reminders(facts: Facts) -> Table:
    table = _table("Reminders", "", "")
    table.show_header = False
    table.add_row("oldest thing due", _age(facts, "dicoevent_oldest_due_age_seconds"))
    waiting = (
        f"{state} {_number(facts, 'dicoevent_deliveries_open', state)}"
        for state in ("pending", "claimed", "sending", "retry")
    )
    table.add_row("open", ", ".join(waiting))
    done = facts.numbers.get("dicoevent_delivery_results_total", {})
    told = ", ".join(f"{state} {count:.0f}" for (state,), count in sorted(done.items()) if count)
    table.add_row("done since start", told or "-")
    up = facts.numbers.get("dicoevent_mail_server_up", {}).get(())
    table.add_row("mail server", "not needed yet" if up is None else _there(up))
    table.add_row("dead letters waiting", _number(facts, "dicoevent_dead_letters_waiting"))
    return table


def _there(up: float) -> str:
    return "[green]there[/]" if up else "[bold red]away[/]"


def _messages(facts: Facts) -> Table:
    table = _table("Messages", "", ">waiting", ">oldest", "")
    for process in facts.processes:
        numbers = process.numbers or {}
        for (queue,), depth in numbers.get("dicoevent_queue_messages", {}).items():
            table.add_row(f"queue {queue}", f"{depth:.0f}", "", "")
        for (source,), lag in numbers.get("dicoevent_feed_lag_messages", {}).items():
            age = numbers.get("dicoevent_feed_oldest_unread_age_seconds", {}).get((source,), 0.0)
            table.add_row(f"{process.name} of {source}", f"{lag:.0f}", duration(age) if age else "-", "")
        for _, unsent in numbers.get("dicoevent_outbox_unsent_messages", {}).items():
            age = numbers.get("dicoevent_outbox_oldest_unsent_age_seconds", {}).get((), 0.0)
            open_ = numbers.get("dicoevent_relay_breaker_open", {}).get((), 0.0)
            breaker = "[bold red]Redis takes nothing[/]" if open_ else ""
            table.add_row(
                f"outbox of {process.name}", f"{unsent:.0f}", duration(age) if age else "-", breaker
            )
    return table


def _due(facts: Facts) -> RenderableType:
    table = _table("Due next", "when", "in", "event", "kind", ">holders")
    for name, kind, when, holders in facts.due or ():
        left = (when - facts.at).total_seconds()
        there = duration(left) if left >= 0 else f"[bold red]{duration(-left)} ago[/]"
        table.add_row(_clock(when, facts.at), there, escape(name[:60]), kind, str(holders))
    return table if facts.due else _nothing("Due next", facts.due, "nothing is planned")


def _failed(facts: Facts) -> RenderableType:
    table = _table("Failed last", "when", "what", "why")
    for when, what, why in facts.failed or ():
        table.add_row(_clock(when, facts.at), what, escape(" ".join(why.split())[:100]))
    return table if facts.failed else _nothing("Failed last", facts.failed, "nothing failed")


def _nothing(title: str, rows: object, text: str) -> RenderableType:
    why = "the database cannot be reached" if rows is None else text
    return Text.from_markup(f"[bold]{title}[/]  {why}\n")


def _clock(when: datetime | None, now: datetime) -> str:
    if when is None:
        return "-"
    here = when.astimezone(now.tzinfo)
    if here.date() == now.date():
        return f"{here:%H:%M:%S}"
    return f"{here:%d %b %H:%M}" if here.year == now.year else f"{here:%d %b %Y}"


def duration(seconds: float) -> str:
    """`8 s`, `4 min`, `3 h 20 min`, `2 d 5 h`."""
    whole = timedelta(seconds=int(seconds))
    hours, minutes = whole.seconds // 3600, whole.seconds % 3600 // 60
    if whole.days:
        return f"{whole.days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{whole.seconds} s"
