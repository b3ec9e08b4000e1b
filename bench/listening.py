"""A listening socket on loopback, on a free port."""

import socket


def listen() -> socket.socket:
    """Return it; whoever connects before the server has started waits in line."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    return listener
