"""One function for each command and each message; the caller owns the transaction.

ticket_types.py  selling.py (orders are placed)  orders.py (and changed)  payments.py  check_in.py
holds.py         what the clock does             messages.py              what others tell
announcements.py what this service tells         access.py                whose business something is
"""
