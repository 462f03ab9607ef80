"""A client of the control socket that checks every line against its schema."""

import json
import os
import socket
import traceback

import control_schema


class Closed(Exception):
    """The server closed the connection."""


class Client:
    def __init__(self, path, timeout=10):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.buffer = b""
        self.methods = {}
        self.last_id = 0
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        """The next line, bytes; Closed at the end."""
        while b"\n" not in self.buffer:
            try:
                data = self.sock.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            if not data:
                assert self.buffer == b"", self.buffer
                raise Closed
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line

    def message(self):
        """The next message, decoded and checked."""
        message = json.loads(self.line())
        method = self.methods.pop(str(message.get("id")), None)
        control_schema.check_line(message, method)
        return message

    def request(self, method, **params):
        """Sends a request; its id."""
        self.last_id += 1
        value = {"jsonrpc": "2.0", "id": self.last_id, "method": method}
        if params:
            value["params"] = params
        self.methods[str(self.last_id)] = method
        self.send(json.dumps(value).encode() + b"\n")
        return self.last_id

    def answer(self, ident):
        """The answer to that request; events on the way are kept."""
        while True:
            message = self.message()
            if "method" in message:
                self.events.append(message)
                continue
            assert message["id"] == ident, message
            return message

    def call(self, method, **params):
        """The result of a request that must succeed."""
        message = self.answer(self.request(method, **params))
        assert "result" in message, message
        return message["result"]

    def fail(self, method, **params):
        """The error of a request that must not succeed."""
        message = self.answer(self.request(method, **params))
        assert "error" in message, message
        return message["error"]

    def event(self):
        """The next notification."""
        return self.events.pop(0) if self.events else self.message()

    def is_silent(self, seconds=0.2):
        self.sock.settimeout(seconds)
        try:
            self.buffer += self.sock.recv(65536)
        except socket.timeout:
            return self.buffer == b""
        finally:
            self.sock.settimeout(10)
        return False

    def is_closed(self, seconds=10):
        self.sock.settimeout(seconds)
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False
        return True


def as_user(uid, function):
    """What function returns, as JSON, when another user runs it."""
    receiver, sender = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.write(sender, json.dumps(function()).encode())
            os._exit(0)
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(1)
    os.close(sender)
    with os.fdopen(receiver, "rb") as f:
        data = f.read()
    assert os.waitpid(pid, 0)[1] == 0, "the other user's part failed"
    return json.loads(data)
