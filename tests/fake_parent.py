"""Plays the part of tund for the real tund-control, on its descriptor 3."""

import fcntl
import json
import os
import queue
import re
import resource
import shutil
import signal
import socket
import struct
import tempfile
import threading
import time

SRC = os.environ.get("top_srcdir", ".")
BUILD = os.environ.get("top_builddir", ".")

CONFIG, LISTEN, START, COUNTERS, STATE, EVENT, REPLY, LOG_LEVEL = range(100, 108)
READY, LOG, PEERS_DONE, OFFLOAD_OFF, TUN_GONE, REQUEST = range(200, 206)
RELOAD, SET_MTU, SET_OFFLOAD, SET_LOG = range(1, 5)
OK, INVALID, REFUSED = range(3)
OFFLOADS = ["tso-tx", "uso-tx", "tso-rx", "uso-rx", "udp-gso", "udp-gro"]
PROCESSES = ["tund", "tund-worker", "tund-control"]
LEVELS = ["error", "warn", "info", "debug"]
F_ADD_SEALS, ALL_SEALS = 1033, 15
SLOTS = 512
PEER_COUNTERS = ["tx_packets", "tx_bytes", "tx_dropped", "rx_packets",
                 "rx_bytes", "rx_dropped", "rx_overflow", "socket_errors"]


def has_sanitizer(program):
    """Its heap is its own then, and what it says when that ends."""
    with open(os.path.join(BUILD, program), "rb") as f:
        return b"__asan_init" in f.read()


def counter_names():
    """The JSON names, in the order of the page, from the header itself."""
    with open(os.path.join(SRC, "ipc/counters.h"), encoding="ascii") as f:
        text = f.read()
    return re.findall(r'X\([A-Z_]+,\s*(?:\\\n\s*)?"([a-z_]+)"', text)


COUNTER_NAMES = counter_names()


class Page:
    """A counters page that the test writes and tund-control reads."""

    def __init__(self, slots=64):
        self.size = 16 + 8 * len(COUNTER_NAMES) + SLOTS * (64 + 16)
        self.fd = os.memfd_create("counters", os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, self.size)
        os.pwrite(self.fd, struct.pack("=IIII", 0x74756e64, 2, slots, 0), 0)

    def set(self, **values):
        for name, value in values.items():
            os.pwrite(self.fd, struct.pack("=Q", value),
                      16 + 8 * COUNTER_NAMES.index(name))

    def set_peer(self, slot, **values):
        for name, value in values.items():
            os.pwrite(self.fd, struct.pack("=Q", value),
                      16 + 8 * len(COUNTER_NAMES) + 64 * slot +
                      8 * PEER_COUNTERS.index(name))

    def set_heard(self, slot, when):
        os.pwrite(self.fd, struct.pack("=Q", when),
                  16 + 8 * len(COUNTER_NAMES) + 64 * SLOTS + 16 * slot)


def offloads(granted=True):
    return [{"name": n, "direction": "tx" if n.endswith(("tx", "gso")) else "rx",
             "asked": True, "granted": granted, "enabled": granted,
             "reason": None if granted else "the kernel does not have it"}
            for n in OFFLOADS]


def peer(name, slot):
    return {"name": name, "slot": slot, "endpoint": f"192.0.2.{slot + 2}:6080",
            "aimed": True, "reason": None, "local": "192.0.2.1:6080",
            "allow": [f"10.9.0.{slot + 2}/32", "fd09::2/128"], "mark": None,
            "bind_device": "eth0" if slot else None,
            "socket": {"rcvbuf_wanted_bytes": 7340032, "rcvbuf_bytes": 14680064,
                       "sndbuf_wanted_bytes": 7340032, "sndbuf_bytes": 14680064,
                       "udp_gro": True}}


def process(name, pid, interface=None, queue_number=None):
    return {"name": name, "pid": pid, "interface": interface,
            "interface_id": None if interface is None else 0,
            "queue": queue_number, "state": "running" if pid else "waiting",
            "started": "2026-11-23T07:28:00Z", "restarts": 0,
            "sched_policy": "batch" if interface else "other", "cpus": "0-1",
            "log_level": "info",
            "sandbox": {"applied": ["user", "root", "seccomp"],
                        "missing": ["mdwe"]}}


def state(sequence=17, interfaces=("tun0",), peers=2):
    return {
        "version": "0.1.0", "pid": 123, "started": "2026-11-23T07:28:00Z",
        "config": {"path": "/etc/tund/tund.conf",
                   "loaded": "2026-11-23T07:28:00Z", "generation": 1},
        "sequence": sequence,
        "processes": [process("tund", 123), process("tund-control", 125)] +
                     [process("tund-worker", 124, name, 0)
                      for name in interfaces],
        "interfaces": [
            {"id": i, "name": name, "configured": "tun%d", "device": "created",
             "monitored": True, "ifindex": 5 + i, "up": True, "running": True,
             "mtu_bytes": 1420, "addresses": ["10.9.0.1/24", "fd09::1/64"],
             "netns": None, "deleted": False, "vnet_hdr": True,
             "batch_packets": 128, "queues": 2, "steering": "ebpf",
             "sched_policy": "batch",
             "cpus": [0, 1],
             "txqueuelen_packets": 1000,
             "gso_max_segs": 65535, "mtu_asked_bytes": None,
             "routes": False, "max_peers": 64, "listen": ["0.0.0.0:6080"],
             "offloads": offloads(), "peers": [peer("abc"[n % 3] * (n // 3 + 1), n)
                                               for n in range(peers)]}
            for i, name in enumerate(interfaces)],
    }


class Parent:
    """Starts tund-control and talks to it; a context manager."""

    def __init__(self, program="tund-control", mode=0o666, first=True,
                 first_state=None, memory=None):
        self.dir = tempfile.mkdtemp(prefix="tund-control-test.")
        os.chmod(self.dir, 0o755)
        self.admin = os.path.join(self.dir, "tund.sock")
        self.readonly = os.path.join(self.dir, "tund.rsock")
        self.listeners = [self.listen(self.readonly, mode),
                          self.listen(self.admin, mode)]
        self.channel, child = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.logs, self.requests = [], queue.Queue()
        self.ready = threading.Event()
        self.ready_value = None
        self.on_request = None
        self.status = None
        self.pid = self.spawn(os.path.join(BUILD, program), child, memory)
        child.close()
        self.send(CONFIG, 0, struct.pack("=IIII", 65534, 65534, 3, 0))
        for number, sock in enumerate(self.listeners):
            self.send(LISTEN, number, b"", sock.fileno())
        self.send(START)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        if first:
            self.publish(first_state or state())

    @staticmethod
    def listen(path, mode):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(path)
        os.chmod(path, mode)
        sock.listen(128)
        return sock

    @staticmethod
    def spawn(path, child, memory):
        """A limit that is lower than its own stays in force."""
        pid = os.fork()
        if pid == 0:
            try:
                if memory is not None:
                    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
                os.dup2(child.fileno(), 3, inheritable=True)
                os.closerange(4, 1024)
                os.execv(path, [path])
            finally:
                os._exit(127)
        return pid

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()

    def stop(self):
        if self.status is None:
            self.channel.shutdown(socket.SHUT_RDWR)
            self.wait()
        for sock in self.listeners:
            sock.close()
        # a second time there is nothing left to remove
        shutil.rmtree(self.dir, ignore_errors=True)

    def wait(self, seconds=5):
        """The wait status; killed, and reported, if it does not end."""
        end = time.monotonic() + seconds
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
            elif time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                self.status = -1
            else:
                time.sleep(0.01)
        return self.status

    def send(self, kind, ident=0, data=b"", fd=None):
        message = struct.pack("=IIII", kind, len(data), ident, 0) + data
        if fd is None:
            self.channel.send(message)
        else:
            socket.send_fds(self.channel, [message], [fd])

    def read(self):
        while True:
            try:
                data = self.channel.recv(65536)
            except OSError:
                return
            if not data:
                return
            kind, length, ident, _ = struct.unpack("=IIII", data[:16])
            body = data[16:]
            assert length == len(body)
            if kind == READY:
                self.ready_value = struct.unpack("=II", body)
                self.ready.set()
            elif kind == LOG:
                self.logs.append(body[4:].decode("ascii"))
            elif kind == REQUEST:
                self.take_request(ident, struct.unpack("=IIII", body))

    def take_request(self, ident, request):
        self.requests.put((ident, request))
        if self.on_request is None:
            return
        answer = self.on_request(*request)
        if answer is not None:
            self.reply(ident, *answer)

    def reply(self, ident, status, value):
        self.send(REPLY, ident,
                  struct.pack("=I", status) + json.dumps(value).encode())

    def publish(self, value):
        fd = os.memfd_create("state", os.MFD_ALLOW_SEALING)
        text = value if isinstance(value, bytes) else json.dumps(value).encode()
        os.write(fd, text)
        fcntl.fcntl(fd, F_ADD_SEALS, ALL_SEALS)
        self.send(STATE, 0, b"", fd)
        os.close(fd)

    def counters(self, page, interface=0, queue_number=0):
        # the real parent passes a descriptor that cannot be written
        fd = os.open(f"/proc/self/fd/{page.fd}", os.O_RDONLY)
        self.send(COUNTERS, interface << 16 | queue_number, b"", fd)
        os.close(fd)

    def event(self, seq, name="link.mtu", interface="tun0", **values):
        value = {"seq": seq, "time": "2026-11-23T07:30:00.452Z", "event": name,
                 "interface": interface, **values}
        self.send(EVENT, 0, json.dumps(value).encode())
        return value


def obedient(kind, interface, what, value):
    """What a tund answers that agrees to everything."""
    name = f"tun{interface}"
    if kind == RELOAD:
        return OK, {"dry_run": bool(value), "changes": ['peer "c" added'],
                    "not_aimed": [] if value else ['peer "c" is not aimed'],
                    "generation": 1 if value else 2}
    if kind == SET_MTU:
        return OK, {"interface": name, "mtu_bytes": value}
    if kind == SET_OFFLOAD:
        return OK, {"interface": name, "offload": OFFLOADS[what],
                    "enabled": bool(value)}
    return OK, {"process": PROCESSES[what], "level": LEVELS[value]}
