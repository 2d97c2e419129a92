"""Every query, by what it is about.

ticket_types.py  orders.py  payments.py   rows and their lists (pages.py)
seats.py         offers under lock, and the counts of what is sold
keys.py          idempotency keys         forgetting.py   what goes with a person
"""
