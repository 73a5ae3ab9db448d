"""Asks the system about its ports before anything is started on them."""

import socket

from watchkeeper.core.errors import OperatorError


class PortTaken(OperatorError):
    """Another program listens on a port that is needed."""

    code = "port_taken"


def is_listening(host: str, port: int) -> bool:
    """Tell whether anything accepts connections there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def require_free(host: str, port: int, *, flag: str) -> None:
    """Check that a port can be listened on.

    Raises:
        PortTaken: it cannot; the message names the flag that chooses another.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"Port {port} on {host} cannot be used ({error.strerror}). Choose another with {flag}."
            ) from error
