"""Messages between the grader and its confined processes: msgpack, each with its length in front.

Whoever is at the other end may be hostile: a message has a largest size, and what cannot be read is a WireError.
"""

import contextlib
import socket
import struct

import msgpack

STUDENT, TESTS = "student", "tests"  # the roles of the two processes for one notebook
LENGTH = struct.Struct("!I")
LARGEST = 64 << 20  # bytes of one message


class WireError(Exception):
    """The other end sent something that is no message, or too much."""


def pack(message) -> bytes:
    """A message as bytes. What msgpack does not know is sent as its `str`; lone surrogates survive."""
    return msgpack.packb(message, default=str, unicode_errors="surrogatepass")


def unpack(data: bytes):
    """The message. Raises WireError for bytes that are none."""
    try:
        return msgpack.unpackb(data, unicode_errors="surrogatepass", strict_map_key=False)
    except Exception as error:
        raise WireError(f"not a message: {type(error).__name__}") from None


def send(sock: socket.socket, data: bytes) -> None:
    """Send packed bytes. Raises WireError if there are too many."""
    if len(data) > LARGEST:
        raise WireError(f"{len(data)} bytes are more than the {LARGEST} that a message may have")
    sock.sendall(LENGTH.pack(len(data)) + data)


def receive(sock: socket.socket) -> bytes:
    """The bytes of the next message. Raises EOFError at the end, WireError if it is too large."""
    (length,) = LENGTH.unpack(_exactly(sock, LENGTH.size))
    if length > LARGEST:
        raise WireError(f"a message of {length} bytes is announced, more than the {LARGEST} allowed")
    return _exactly(sock, length)


def _exactly(sock: socket.socket, n: int) -> bytes:
    data = bytearray()
    while len(data) < n:
        part = sock.recv(min(n - len(data), 1 << 20))
        if not part:
            raise EOFError("the other process has ended")
        data += part
    return bytes(data)


class Inbox:
    """The grader's end of a confined process's socket: it never waits for the rest of a message."""

    def __init__(self, sock: socket.socket):
        self.sock, self.received, self._data = sock, 0, bytearray()

    def fileno(self) -> int:
        return self.sock.fileno()

    def messages(self) -> list:
        """What has come in, after `select` said that something did. Raises EOFError at the end, or WireError."""
        part = b""
        with contextlib.suppress(ConnectionResetError):
            part = self.sock.recv(1 << 18)
        if not part:
            raise EOFError("the process has ended")
        self.received += len(part)
        self._data += part
        complete = []
        while len(self._data) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._data)
            if length > LARGEST:
                raise WireError("a message is too large")
            if len(self._data) < LENGTH.size + length:
                break
            complete.append(unpack(bytes(self._data[LENGTH.size : LENGTH.size + length])))
            del self._data[: LENGTH.size + length]
        return complete
