"""Hosts made of network namespaces, tund in them, and what to try there.

Everything that is made goes away at the end: namespaces with their links,
processes by their pid, files with their directory.  Nothing leaves the
machine; names begin with "integration" and the process id.
"""

import atexit
import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

BUILD = os.environ.get("top_builddir", ".")
TUND = os.path.abspath(os.path.join(BUILD, "tund"))
TUNDCTL = os.path.abspath(os.path.join(BUILD, "tundctl"))
# How many times as long everything may take: an emulated machine is slow.
PATIENCE = int(os.environ.get("TUND_TEST_PATIENCE", "1"))
CASE_SECONDS = 60 * PATIENCE
MB = 1 << 20

# -- test cases as TAP ------------------------------------------------------

CASES = []


def case(function):
    """A test; its name is what it claims."""
    CASES.append(function)
    return function


class Expired(Exception):
    """A case took too long."""


def on_alarm(_signo, _frame):
    raise Expired(f"not done after {CASE_SECONDS} s")


def on_end(signo, _frame):
    sys.exit(128 + signo)


def run_case(number, function):
    name = function.__name__.replace("_", " ")
    began = time.monotonic()
    signal.alarm(CASE_SECONDS)
    try:
        function()
        ok = True
    except Exception:
        ok = False
        trace = traceback.format_exc()
    signal.alarm(0)
    print(f"{'ok' if ok else 'not ok'} {number} - {name}")
    if not ok:
        for line in trace.splitlines() + Lab.logs():
            print(f"# {line}")
    Lab.close_all()
    print(f"# {time.monotonic() - began:.1f} s", flush=True)
    return ok


def main():
    """Runs the cases; words on the command line choose among them."""
    chosen = [c for c in CASES if len(sys.argv) < 2 or
              any(word in c.__name__ for word in sys.argv[1:])]
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root")
        return
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, on_end)
    signal.signal(signal.SIGINT, on_end)
    signal.signal(signal.SIGHUP, on_end)
    atexit.register(Lab.close_all)
    make_users()
    print(f"1..{len(chosen)}", flush=True)
    failed = sum(not run_case(n, c) for n, c in enumerate(chosen, 1))
    sys.exit(1 if failed else 0)


def make_users():
    for name in ("_tund", "_tundctl"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            run(["useradd", "--system", "--user-group", "--home-dir", "/",
                 "--shell", "/usr/sbin/nologin", name])


# -- small things -----------------------------------------------------------

def run(argv, check=True, **more):
    """Runs a command; what it said is in the error, should it fail."""
    more.setdefault("stdout", subprocess.PIPE)
    more.setdefault("stderr", subprocess.PIPE)
    r = subprocess.run(argv, text=True, check=False, timeout=30 * PATIENCE,
                       **more)
    if check and r.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: {r.returncode}: "
                             f"{(r.stderr or '').strip()}")
    return r


def until(what, seconds=5, why="it did not happen"):
    """Waits for a condition; returns its value."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < end, why
        time.sleep(0.01)


def never(what, seconds=0.5):
    """Nothing can be waited for that must not happen, but for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert not what(), "it happened"
        time.sleep(0.01)


def alive(pid):
    try:
        return proc_status(pid)["State"][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def proc_status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        pairs = (line.rstrip("\n").partition(":\t") for line in f)
        return {key: value.strip() for key, _, value in pairs}


def cpu_seconds(pid):
    """User and system time of a process, in nanosecond grain."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
        return int(f.read().split()[0]) / 1e9


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(word) for word in f.read().split()]


# -- namespaces -------------------------------------------------------------

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
HOME = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def setns(fd):
    if LIBC.setns(fd, CLONE_NEWNET) == -1:
        raise OSError(ctypes.get_errno(), "setns")


class Host:
    """A network namespace with lo up."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.netns = f"{lab.prefix}-{name}"
        run(["ip", "netns", "add", self.netns])
        lab.hosts.append(self)
        # fewer surprises: addresses are there at once, none of their own
        self.sysctl("net.ipv6.conf.all.accept_dad", 0)
        self.sysctl("net.ipv6.conf.default.accept_dad", 0)
        self.sysctl("net.ipv6.conf.default.accept_ra", 0)
        self.ip("link set lo up")

    @contextlib.contextmanager
    def inside(self):
        """The calling thread is in the namespace meanwhile."""
        fd = os.open(f"/run/netns/{self.netns}", os.O_RDONLY | os.O_CLOEXEC)
        setns(fd)
        os.close(fd)
        try:
            yield
        finally:
            setns(HOME)

    def sysctl(self, key, value):
        # /proc/sys/net shows the namespace of who opens it
        with self.inside(), open("/proc/sys/" + key.replace(".", "/"), "w",
                                 encoding="ascii") as f:
            f.write(str(value))

    def ip(self, words, check=True):
        """`ip` there, as often as there are lines."""
        for line in words.strip().splitlines():
            r = run(["ip", "-n", self.netns] + line.split(), check)
        return r

    def link(self, name):
        """`ip -d -j link show`, or None."""
        r = run(["ip", "-n", self.netns, "-d", "-j", "link", "show", "dev",
                 name], check=False)
        return json.loads(r.stdout)[0] if r.returncode == 0 else None

    def addresses(self, name):
        r = run(["ip", "-n", self.netns, "-j", "addr", "show", "dev", name])
        return {f"{a['local']}/{a['prefixlen']}"
                for a in json.loads(r.stdout)[0]["addr_info"]
                if a["scope"] != "link"}

    def routes(self, name):
        """Destinations routed through a device by tund or by hand."""
        out = []
        for family in ("-4", "-6"):
            r = run(["ip", "-n", self.netns, family, "-j", "route", "show",
                     "dev", name])
            out += [r["dst"] for r in json.loads(r.stdout)
                    if r.get("protocol") != "kernel"]
        return set(out)

    def popen(self, argv, **more):
        """A process in the namespace; its pid is that of argv itself."""
        p = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.netns}", "--"] + argv,
            stdin=subprocess.DEVNULL, **more)
        self.lab.processes.append(p)
        return p

    def socket(self, family, kind, proto=0):
        with self.inside():
            s = socket.socket(family, kind, proto)
        s.settimeout(20 * PATIENCE)
        return s

    def udp(self, address, port):
        """A bound UDP socket."""
        s = self.socket(family_of(address), socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 * MB)
        s.bind((address, port))
        return s

    def ping(self, address, size=56, seconds=2):
        """One ICMP echo with its answer compared, again until it comes."""
        end = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < end:
            if self.ping_once(address, size, 0.2 * PATIENCE):
                return True
        return False

    def ping_once(self, address, size, seconds):
        six = family_of(address) == socket.AF_INET6
        ident = threading.get_native_id() & 0xffff
        payload = os.urandom(size)
        if six:
            s = self.socket(socket.AF_INET6, socket.SOCK_RAW,
                            socket.IPPROTO_ICMPV6)
            ask, answer = 128, 129
        else:
            s = self.socket(socket.AF_INET, socket.SOCK_RAW,
                            socket.IPPROTO_ICMP)
            ask, answer = 8, 0
        body = struct.pack(">HH", ident, 1) + payload
        packet = struct.pack(">BBH", ask, 0, 0) + body
        if not six:
            packet = struct.pack(">BBH", ask, 0, checksum(packet)) + body
        with s:
            s.settimeout(seconds)
            try:
                s.sendto(packet, (address, 0))
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    got = s.recv(65535)
                    got = got if six else got[20:]
                    if got[0] == answer and got[4:] == body:
                        return True
            except OSError:
                time.sleep(0.02)
        return False


SO_RCVBUFFORCE, SO_SNDBUFFORCE, SO_MAX_PACING_RATE = 33, 32, 47
UDP_SEGMENT, UDP_GRO = 103, 104


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Lab:
    """Makes hosts and removes them."""

    labs = []
    count = 0

    def __init__(self):
        Lab.count += 1
        self.prefix = f"integration{os.getpid()}-{Lab.count}"
        self.hosts = []
        self.processes = []
        self.daemons = []
        self.closers = []
        self.dir = tempfile.mkdtemp(prefix="tund-integration-")
        os.chmod(self.dir, 0o755)
        Lab.labs.append(self)

    def host(self, name):
        return Host(self, name)

    def pair(self, mtu=1500):
        """Two hosts, a and b, joined by a veth named wan on both sides."""
        a, b = self.host("a"), self.host("b")
        self.join(a, b, mtu)
        return a, b

    @staticmethod
    def join(a, b, mtu=1500):
        """The veth of a pair, which may have been deleted."""
        a.ip(f"link add wan mtu {mtu} type veth peer name wan mtu {mtu} "
             f"netns {b.netns}")
        for host, n in ((a, 1), (b, 2)):
            host.ip(f"""link set wan up
                addr add 192.0.2.{n}/24 dev wan
                addr add 2001:db8::{n}/64 dev wan nodad""")

    def path(self, name):
        return os.path.join(self.dir, name)

    def close(self):
        for closer in self.closers:
            closer()
        for p in self.processes:
            if p.poll() is None:
                p.kill()
            p.wait()
        for host in self.hosts:
            run(["ip", "netns", "del", host.netns], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    @classmethod
    def close_all(cls):
        while cls.labs:
            cls.labs.pop().close()

    @classmethod
    def logs(cls):
        """The end of every daemon's log, for a failed case."""
        lines = []
        for lab in cls.labs:
            for d in lab.daemons:
                lines.append(f"-- {d.name}")
                lines += d.log().splitlines()[-40:]
        return lines


# -- tund -------------------------------------------------------------------

class Tund:
    """A running daemon with its configuration."""

    def __init__(self, host, conf, name=None, start=True, options=(),
                 prefix=(), **more):
        self.host = host
        self.name = name or host.name
        self.conf_path = host.lab.path(f"{self.name}.conf")
        self.sock = host.lab.path(f"{self.name}.sock")
        self.rsock = host.lab.path(f"{self.name}.rsock")
        self.log_path = host.lab.path(f"{self.name}.log")
        self.options = list(options)
        self.prefix = list(prefix)  # a program that starts it
        self.process = None
        host.lab.daemons.append(self)
        self.write(conf)
        if start:
            self.start(**more)
            self.wait_ready()

    def write(self, conf, mode=0o600):
        """Puts the configuration where a reload finds it."""
        with open(self.conf_path, "w", encoding="ascii") as f:
            f.write(f'control "{self.sock}"\n'
                    f'control read-only "{self.rsock}"\n{conf}')
        os.chmod(self.conf_path, mode)

    def start(self, **more):
        with open(self.log_path, "a", encoding="ascii") as log:
            self.process = self.host.popen(
                [*self.prefix, TUND, "-d", "-v", "-x", os.path.abspath(BUILD),
                 "-f", self.conf_path] + self.options,
                stdout=subprocess.DEVNULL, stderr=log, **more)

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8",
                      errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def is_ready(self):
        assert self.process.poll() is None, f"tund ended: {self.log()}"
        r = self.tundctl("status", check=False)
        if r.returncode != 0:
            return False
        return all(p["state"] == "running"
                   for p in json.loads(r.stdout)["processes"])

    def wait_ready(self):
        until(self.is_ready, 5, "tund is not ready")

    def tundctl(self, words, check=True, json_output=True):
        argv = [TUNDCTL] + (["-j"] if json_output else [])
        return run(argv + ["-s", self.sock] + words.split(), check)

    def ask(self, words):
        """What `tundctl -j` answers."""
        return json.loads(self.tundctl(words).stdout)

    def reload(self, conf=None, words="reload"):
        if conf is not None:
            self.write(conf)
        return self.ask(words)

    def reload_fails(self, conf=None, words="reload"):
        """What is said on standard error; exit code 1."""
        if conf is not None:
            self.write(conf)
        r = self.tundctl(words, check=False, json_output=False)
        assert r.returncode == 1, (r.returncode, r.stdout, r.stderr)
        return r.stderr

    def interface(self, name="tun0"):
        return self.ask(f"interfaces {name}")["interfaces"][0]

    def peer(self, name, interface="tun0"):
        return next(p for p in self.ask(f"peers {interface}")["peers"]
                    if p["name"] == name)

    def stats(self, interface="tun0"):
        return self.ask(f"stats {interface}")["interfaces"][0]["total"]

    def offload(self, name, interface="tun0"):
        all_of = self.ask(f"offload {interface}")["interfaces"][0]
        return next(o for o in all_of["offloads"] if o["name"] == name)

    def find_process(self, kind, interface=None):
        return next(p for p in self.ask("status")["processes"]
                    if p["name"] == kind and
                    (interface is None or p["interface"] == interface))

    def worker(self, interface=None):
        return self.find_process("tund-worker", interface)["pid"]

    def control(self):
        return self.find_process("tund-control")["pid"]

    def descriptors(self):
        """How many the parent has; a message may hold one for an instant."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def events(self):
        return Events(self)

    def terminate(self, signo=signal.SIGTERM):
        """Ends it; returns the seconds that took."""
        began = time.monotonic()
        self.process.send_signal(signo)
        self.process.wait(10 * PATIENCE)
        return time.monotonic() - began


class Events:
    """A subscriber: everything that tund announces from now on."""

    def __init__(self, daemon):
        self.list = []
        self.overflow = False
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(daemon.rsock)
        daemon.host.lab.closers.append(self.close)
        self.socket.sendall(b'{"jsonrpc":"2.0","id":1,"method":"subscribe"}\n')
        self.file = self.socket.makefile("rb")
        answer = json.loads(self.file.readline())["result"]
        self.sequence = answer["sequence"]
        self.snapshot = answer["snapshot"]
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            for line in self.file:
                message = json.loads(line)
                if message.get("method") == "event":
                    self.list.append(message["params"])
                else:
                    self.overflow = True
        except (OSError, ValueError):
            pass

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)
        self.file.close()
        self.socket.close()

    def names(self):
        return [e["event"] for e in self.list]

    def find(self, event, **fields):
        for e in self.list:
            if e["event"] == event and \
                    all(e.get(k) == v for k, v in fields.items()):
                return e
        return None

    def wait(self, event, seconds=5, **fields):
        """The first such event, now or soon."""
        return until(lambda: self.find(event, **fields), seconds,
                     f"no {event} {fields}")

    def settle(self, seconds=0.3):
        """Until nothing has come for a while; the list is emptied."""
        n = -1
        while n != len(self.list):
            n = len(self.list)
            time.sleep(seconds)
        out, self.list = self.list, []
        self.check(out)
        return out

    def check(self, events):
        """No gap, no repetition, each with a time and an interface."""
        assert not self.overflow
        for e in events:
            self.sequence += 1
            assert e["seq"] == self.sequence, (e, self.sequence)
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
                                e["time"]), e
            assert "interface" in e, e


PORT = 6080
INNER = {1: ("10.9.0.1", "fd09::1"), 2: ("10.9.0.2", "fd09::2")}


def conf_pair(n, outer=4, extra="", peer_extra="", name="tun0"):
    """tund.conf of side n, 1 or 2, of a pair."""
    far = 3 - n
    listen, endpoint = ("0.0.0.0", "192.0.2.") if outer == 4 else \
        ("::", "2001:db8::")
    return f"""interface "{name}" {{
	address {INNER[n][0]}/24
	address {INNER[n][1]}/64
	listen udp on {listen} port {PORT}
	{extra}
	peer "far" {{
		endpoint {endpoint}{far} port {PORT}
		allow {{ {INNER[far][0]}/32, {INNER[far][1]}/128 }}
		{peer_extra}
	}}
}}
"""


def tunnel(outer=4, mtu=1500, extra="", extra_b=None):
    """Two hosts with a tund each, ready; (daemon a, daemon b)."""
    a, b = Lab().pair(mtu)
    if extra_b is None:
        extra_b = extra
    da = Tund(a, conf_pair(1, outer, extra), start=False)
    db = Tund(b, conf_pair(2, outer, extra_b), start=False)
    da.start()
    db.start()
    da.wait_ready()
    db.wait_ready()
    return da, db


def per_queue(daemon, counter):
    """That counter of each queue of its first interface."""
    stats = daemon.ask("stats")["interfaces"][0]
    return [q["counters"][counter] for q in stats["queues"]]


def conf_many_sockets():
    """Eight more interfaces, so that a start takes a while."""
    return "".join(
        conf_pair(1, name=f"big{n}").replace(str(PORT), f"{7000 + n}").replace(
            "listen", "max-peers 256\nlisten") for n in range(8))


# -- traffic ----------------------------------------------------------------

class Stream:
    """Bytes that do not repeat at any distance a packet could be off by."""

    block = None
    SIZE = 32 * MB
    SHIFT = 4099  # each round begins elsewhere

    def __init__(self):
        if Stream.block is None:
            Stream.block = memoryview(os.urandom(Stream.SIZE))
        self.round = 0
        self.at = 0

    def next(self, most):
        if self.at >= self.SIZE:
            self.round += 1
            self.at = self.round * self.SHIFT % (self.SIZE // 2)
        return self.block[self.at:self.at + most]

    def took(self, n):
        self.at += n


class Flow:
    """A TCP transfer between two hosts whose bytes are hashed on each side.

    With a size it ends by itself; without one it goes on until finish().
    """

    CHUNK = 256 << 10

    def __init__(self, source, sink, address, size=None, rate=None):
        self.source, self.size, self.rate = source, size, rate
        self.sent = self.received = 0
        self.sent_hash, self.received_hash = hashlib.sha256(), hashlib.sha256()
        self.error = None
        self.stopping = False
        self.listener = sink.socket(family_of(address), socket.SOCK_STREAM)
        self.listener.bind((address, 0))
        self.listener.listen(1)
        self.target = self.listener.getsockname()[:2]
        self.threads = [
            threading.Thread(target=self.guard, args=(f,), daemon=True)
            for f in (self.receive, self.send)]
        for t in self.threads:
            t.start()

    def guard(self, function):
        try:
            function()
        except (OSError, ValueError) as e:
            self.error = self.error or e

    def send(self):
        stream = Stream()
        s = self.source.socket(family_of(self.target[0]), socket.SOCK_STREAM)
        with s:
            s.connect(self.target)
            if self.rate is not None:
                s.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, self.rate)
            while not self.stopping and self.sent != self.size:
                most = self.CHUNK
                if self.size is not None:
                    most = min(most, self.size - self.sent)
                data = stream.next(most)
                n = s.send(data)
                self.sent_hash.update(data[:n])
                stream.took(n)
                self.sent += n
            s.shutdown(socket.SHUT_WR)
            # the far side closes when it has everything
            s.recv(1)

    def receive(self):
        buffer = bytearray(MB)
        view = memoryview(buffer)
        with self.listener:
            s, _ = self.listener.accept()
        with s:
            s.settimeout(20 * PATIENCE)
            while n := s.recv_into(buffer):
                self.received_hash.update(view[:n])
                self.received += n

    def advance(self, n=MB, seconds=10):
        """Waits until n bytes more have arrived."""
        goal = self.received + n
        until(lambda: self.received >= goal or self.error, seconds,
              f"the transfer stands still at {self.received} bytes")
        assert self.error is None, repr(self.error)

    def finish(self, seconds=30):
        """Ends it, compares, and returns how many bytes went across."""
        if self.size is None:
            self.stopping = True
        for t in self.threads:
            t.join(seconds * PATIENCE)
            assert not t.is_alive(), f"{self.received} of {self.sent} bytes"
        assert self.error is None, repr(self.error)
        assert self.sent == self.received, (self.sent, self.received)
        assert self.size in (None, self.sent)
        assert self.sent_hash.digest() == self.received_hash.digest()
        return self.sent


def transfer(source, sink, address, size):
    return Flow(source, sink, address, size).finish()


class Datagrams:
    """Numbered datagrams: each arrives exactly once, whole, or is lost."""

    HEADER = struct.Struct(">II")

    def __init__(self, sink, address):
        self.socket = sink.udp(address, 0)
        self.socket.settimeout(0.5 * PATIENCE)
        self.target = self.socket.getsockname()[:2]
        self.got = {}
        self.bad = []
        self.thread = threading.Thread(target=self.receive, daemon=True)
        self.thread.start()

    @classmethod
    def make(cls, number, size):
        body = hashlib.shake_128(cls.HEADER.pack(number, size)) \
            .digest(size - cls.HEADER.size)
        return cls.HEADER.pack(number, size) + body

    def receive(self):
        while True:
            try:
                data = self.socket.recv(65535)
            except (socket.timeout, OSError):
                return
            number, size = self.HEADER.unpack_from(data)
            if number in self.got or data != self.make(number, size):
                self.bad.append((number, size, len(data)))
            self.got[number] = size

    def send(self, source, sizes, pause=32):
        """One by one; a rest now and then, for no queue is endless."""
        with source.socket(family_of(self.target[0]),
                           socket.SOCK_DGRAM) as s:
            for number, size in enumerate(sizes):
                s.sendto(self.make(number, size), self.target)
                if number % pause == pause - 1:
                    time.sleep(0.002)
        return len(sizes)

    def send_segmented(self, source, size, runs, per_run):
        """As the kernel's own superpackets (UDP_SEGMENT)."""
        with source.socket(family_of(self.target[0]),
                           socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_UDP, UDP_SEGMENT, size)
            for r in range(runs):
                s.sendto(b"".join(self.make(r * per_run + i, size)
                                  for i in range(per_run)), self.target)
                time.sleep(0.001)
        return runs * per_run

    def finish(self):
        """The number that arrived; none twice, none altered."""
        self.thread.join(20)
        self.socket.close()
        assert not self.bad, self.bad[:5]
        return len(self.got)


# -- packets by hand --------------------------------------------------------

def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip_udp(src, dst, payload, sport=4000, dport=5000):
    """A whole inner UDP packet."""
    family = family_of(src)
    source, target = (socket.inet_pton(family, x) for x in (src, dst))
    length = 8 + len(payload)
    head = struct.pack(">HHHH", sport, dport, length, 0)
    pseudo = source + target + struct.pack(">HH", 17, length)
    total = checksum(pseudo + head + payload) or 0xffff
    udp = head[:6] + struct.pack(">H", total) + payload
    if family == socket.AF_INET6:
        return struct.pack(">IHBB", 6 << 28, length, 17, 64) + \
            source + target + udp
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 7, 0, 64, 17, 0) + \
        source + target
    return ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:] + udp


# -- tun devices by hand ----------------------------------------------------

TUNSETIFF, TUNSETOFFLOAD = 0x400454ca, 0x400454d0
TUN_F_CSUM, TUN_F_USO4, TUN_F_USO6 = 1, 0x20, 0x40
IFF_TUN, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 1, 2, 0x1000, 0x4000
IFF_MULTI_QUEUE = 0x100


def open_tun(host, name, vnet_hdr=True, more=0):
    """An open tun descriptor whose device is in that host."""
    with host.inside():
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        flags = more | IFF_TUN | IFF_NO_PI | (IFF_VNET_HDR if vnet_hdr else 0)
        fcntl.ioctl(fd, TUNSETIFF,
                    struct.pack("16sH22x", name.encode(), flags))
    return fd


def has_uso(host):
    """Whether the kernel has USO on a tun device: not before 6.2."""
    fd = open_tun(host, "probe0")
    try:
        fcntl.ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6)
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
