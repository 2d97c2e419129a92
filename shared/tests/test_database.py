"""What a connection to the database promises."""

import os
import socket
from collections.abc import Callable

import sqlalchemy as sa


def test_a_thread_waits_a_minute_and_no_longer_for_a_database_machine_that_is_gone(
    make_service_engine: Callable[[str], sa.Engine],
) -> None:
    with make_service_engine("tickets").connect() as connection:
        link = socket.socket(fileno=os.dup(connection.connection.driver_connection.fileno()))
    with link:
        unanswered = link.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) / 1000
        idle, pause, tries = (
            link.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
    assert unanswered == 60
    assert idle + pause * tries == 60
