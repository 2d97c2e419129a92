"""A mail server that delivers to nobody and shows what came: for development, demos and tests.

smtp.py  takes mail     mailbox.py  keeps it, in memory     web.py  a page, and the part of Mailpit's API
                                                            that tests use
"""
