"""What stops the move, and what leaves one row out of it."""


class SourceError(Exception):
    """The old database is not what can be moved; the text says what to do."""


class LeftOut(Exception):
    """This row cannot be brought over; the text says why."""
