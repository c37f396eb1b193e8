"""Whether a server can listen on an address of this machine."""

from __future__ import annotations

import socket

from engine.errors import InvalidInput


def check_port(port: int, host: str = "127.0.0.1") -> None:
    """Raises InvalidInput if nothing can listen on the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a closed desk's port is free
        try:
            probe.bind((host, port))
        except PermissionError:
            raise InvalidInput("port", f"{port} is reserved for the system: choose one above 1023.") from None
        except (OSError, OverflowError) as error:
            if isinstance(error, socket.gaierror) or "assign" in str(error).lower():
                raise InvalidInput("host", f"{host} is not an address of this machine: choose another.") from None
            raise InvalidInput(
                "port", f"{port} is taken by another program: choose another one, such as --port {port + 1}."
            ) from None
