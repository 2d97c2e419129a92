"""Moves an installation of the old DicoEvent (Django) over.

source.py    the old tables: found, read        rows.py      what an old row is here; pure
ledger.py    what was brought over already      accounts.py  events.py  tickets.py: writing
report.py    what is told at the end            move.py      all of it in order
errors.py    why not

It lives beside the services, not in one: it writes to three of them, each by that one's own rules, and
services never import services.
"""
