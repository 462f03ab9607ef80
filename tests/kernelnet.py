"""Network namespaces, tun devices and packet sockets, for comparisons of the
worker's packet modules with the kernel.

The namespaces have no name: they end with the process.  Nothing leaves them.
"""

import ctypes
import fcntl
import os
import random
import select
import socket
import struct
import subprocess

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
TUNSETOFFLOAD = 0x400454D0
TUNSETVNETHDRSZ = 0x400454D8
IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x1, 0x1000, 0x4000
TUN_F = {"csum": 1, "tso4": 2, "tso6": 4, "ecn": 8, "uso4": 0x20,
         "uso6": 0x40}
NEEDS_CSUM, DATA_VALID = 1, 2
GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP, GSO_ECN = 0, 1, 4, 5, 0x80
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << i for i in range(8))
TCP, UDP = 6, 17
VNET = 10
# A destination that no device has: what comes with it is ours to see alone.
NOBODY = bytes([2, 0, 0, 0, 0, 0x99])
SENTINEL = 0x88B5  # an ethertype for local experiments
TOOL = os.path.join(os.environ.get("top_builddir", "."), "tests", "offload")

_libc = ctypes.CDLL(None, use_errno=True)


class KernelTooOld(Exception):
    """What is to be compared is not in this kernel."""


def _check(result):
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def run(*args):
    done = subprocess.run(args, capture_output=True, text=True, check=False,
                          timeout=60)
    assert done.returncode == 0, (args, done.stderr)
    return done.stdout


def sysctl(name, value):
    with open("/proc/sys/net/" + name, "w", encoding="ascii") as f:
        f.write(str(value))


class Namespace:
    """A new network namespace; `with` enters it."""

    def __init__(self):
        before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _check(_libc.unshare(CLONE_NEWNET))
        self.fd = os.open("/proc/thread-self/ns/net",
                          os.O_RDONLY | os.O_CLOEXEC)
        # no addresses but those that a test gives
        sysctl("ipv6/conf/default/addr_gen_mode", 1)
        sysctl("ipv6/conf/default/accept_dad", 0)
        run("ip", "link", "set", "lo", "up")
        _check(_libc.setns(before, CLONE_NEWNET))
        os.close(before)
        self.stack = []

    def __enter__(self):
        self.stack.append(os.open("/proc/thread-self/ns/net",
                                  os.O_RDONLY | os.O_CLOEXEC))
        _check(_libc.setns(self.fd, CLONE_NEWNET))
        return self

    def __exit__(self, *_):
        before = self.stack.pop()
        _check(_libc.setns(before, CLONE_NEWNET))
        os.close(before)


def tun_open(name, offloads=tuple(TUN_F)):
    """A tun device with a virtio_net_hdr, in the namespace of the caller."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack(
        "16sH22x", name.encode(), IFF_TUN | IFF_NO_PI | IFF_VNET_HDR))
    fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("i", VNET))
    try:
        fcntl.ioctl(fd, TUNSETOFFLOAD, sum(TUN_F[o] for o in offloads))
    except OSError as why:
        raise KernelTooOld("needs UDP segmentation, Linux 6.2") from why
    return fd


# What is in packets and in front of them.

def fold(data):
    """The one's complement sum, not inverted."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def vnet(flags=0, gso=0, hdr=0, size=0, start=0, offset=0):
    return struct.pack("=BBHHHH", flags, gso, hdr, size, start, offset)


def vnet_fields(frame):
    return struct.unpack_from("=BBHHHH", frame)


def layout(packet):
    """Transport protocol, its offset, and the payload's."""
    if packet[0] >> 4 == 4:
        proto, l4 = packet[9], (packet[0] & 15) * 4
    else:
        proto, l4 = packet[6], 40
        while proto in (0, 43, 60):
            proto, l4 = packet[l4], l4 + (packet[l4 + 1] + 1) * 8
    if proto == TCP:
        return proto, l4, l4 + (packet[l4 + 12] >> 4) * 4
    return proto, l4, l4 + (8 if proto == UDP else 0)


def pseudo(packet, proto, size):
    if packet[0] >> 4 == 4:
        return packet[12:20] + struct.pack("!HH", proto, size)
    return packet[8:40] + struct.pack("!II", size, proto)


def put16(packet, at, value):
    return packet[:at] + struct.pack("!H", value) + packet[at + 2:]


def ip_checksum(packet):
    if packet[0] >> 4 == 6:
        return packet
    end = (packet[0] & 15) * 4
    packet = put16(packet, 10, 0)
    return put16(packet, 10, 0xFFFF ^ fold(packet[:end]))


def flow_of(packet):
    proto, l4, _ = layout(packet)
    at = 12 if packet[0] >> 4 == 4 else 8
    return proto, packet[at:at + (8 if at == 12 else 32)], packet[l4:l4 + 4]


def hop(packet):
    """The packet after one router."""
    at = 8 if packet[0] >> 4 == 4 else 7
    packet = packet[:at] + bytes([packet[at] - 1]) + packet[at + 1:]
    return ip_checksum(packet)


def same_but_id(a, b):
    """Equal, or equal but for an IPv4 ID that has no meaning (RFC 6864)."""
    if a == b:
        return True
    if len(a) != len(b) or a[0] >> 4 != 4 or not a[6] & 0x40:
        return False
    return ip_checksum(put16(a, 4, 0)) == ip_checksum(put16(b, 4, 0)) and \
        fold(a[:(a[0] & 15) * 4]) == fold(b[:(b[0] & 15) * 4]) == 0xFFFF


# The worker's own modules.

def record(data):
    return struct.pack("<I", len(data)) + data


def offload(verb, groups):
    """A list of records for each list; split has one frame to a list."""
    data = []
    for group in groups:
        data.extend(map(record, group))
        if verb == "coalesce":
            data.append(record(b""))
    done = subprocess.run([TOOL, verb], input=b"".join(data),
                          capture_output=True, check=False, timeout=300)
    assert done.returncode == 0 and not done.stderr, done.stderr
    out, lists, now, at = done.stdout, [], [], 0
    while at < len(out):
        (size,) = struct.unpack_from("<I", out, at)
        if size == 0:
            lists.append(now)
            now = []
        else:
            now.append(out[at + 4:at + 4 + size])
        at += 4 + size
    assert len(lists) == len(groups), (len(lists), len(groups))
    return lists


class Segmenter:
    """A veth whose offloads are all off, and what arrives at its far end.

    send() hands the kernel a superpacket on the near end, by a packet socket
    with a virtio_net_hdr; write() hands it to a tun device, from where the
    namespace forwards it to the veth.  Either way the kernel cuts it.
    """

    OFF = "tso gso gro tx rx sg tx-udp-segmentation".split()

    def __init__(self):
        # one processor: packets do not overtake each other
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        self.net = Namespace()
        with self.net:
            run("ip", "link", "add", "v0", "mtu", "65535", "type", "veth",
                "peer", "name", "v1", "mtu", "65535")
            for name in "v0", "v1":
                sysctl("ipv6/conf/%s/router_solicitations" % name, 0)
                for feature in self.OFF:
                    subprocess.run(["ethtool", "-K", name, feature, "off"],
                                   capture_output=True, check=False,
                                   timeout=60)
                run("ip", "link", "set", name, "up")
            shown = run("ethtool", "-k", "v0")
            for feature in ("tcp-segmentation-offload",
                            "generic-segmentation-offload",
                            "tx-udp-segmentation"):
                assert "%s: off" % feature in shown, shown
            self.near = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.near.setsockopt(263, 15, 1)  # PACKET_VNET_HDR
            self.near.setsockopt(socket.SOL_SOCKET, 32, 16 << 20)
            self.near.bind(("v0", 0))
            self.far = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                     socket.htons(3))
            self.far.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
            self.far.bind(("v1", 3))
            self.far.settimeout(10)
            self.tun = tun_open("c0")
            self.forward()
        self.count = 0

    @staticmethod
    def forward():
        run("ip", "link", "set", "c0", "mtu", "65535", "up")
        for name in "all", "default", "c0":
            sysctl("ipv4/conf/%s/rp_filter" % name, 0)
        sysctl("ipv4/ip_forward", 1)
        sysctl("ipv6/conf/all/forwarding", 1)
        mac = ":".join("%02x" % b for b in NOBODY)
        run("ip", "address", "add", "10.8.0.1/24", "dev", "v0")
        run("ip", "address", "add", "fd08::1/64", "dev", "v0", "nodad")
        for via, to in (("10.8.0.2", "10.9.0.0/16"), ("fd08::2", "fd09::/16")):
            run("ip", "neigh", "add", via, "lladdr", mac, "dev", "v0", "nud",
                "permanent")
            run("ip", "route", "add", to, "via", via, "dev", "v0")

    def _eth(self, kind):
        return NOBODY + bytes([2, 0, 0, 0, 0, 1]) + struct.pack("!H", kind)

    def take(self):
        """What came since the last time."""
        self.count += 1
        mark = self._eth(SENTINEL) + struct.pack("!I", self.count) + bytes(46)
        self.near.send(vnet() + mark)
        out = []
        while True:
            data = self.far.recv(1 << 17)
            if data == mark:
                return out
            if data[:6] == NOBODY and data[12:14] != mark[12:14]:
                out.append(data[14:])

    def send(self, frame):
        """The packets that the kernel makes of a frame."""
        flags, gso, hdr, size, start, offset = vnet_fields(frame)
        kind = 0x0800 if frame[VNET] >> 4 == 4 else 0x86DD
        if flags & NEEDS_CSUM:
            start += 14
        self.near.send(vnet(flags, gso, hdr + 14 if hdr else 0, size, start,
                            offset) + self._eth(kind) + frame[VNET:])
        return self.take()

    def write(self, frame):
        """The same through a tun device and a router."""
        assert os.write(self.tun, frame) == len(frame)
        return self.take()


class Wire:
    """Two namespaces with a tun device each, and this process between them.

    What the first one sends is kept.
    """

    def __init__(self, mtu=1420, ecn=False, timestamps=True):
        self.kept, self.ecn = [], ecn
        self.mark = random.Random(mtu)
        self.sides, self.fds = [Namespace(), Namespace()], []
        for i, side in enumerate(self.sides):
            with side:
                self.fds.append(tun_open("t0"))
                run("ip", "link", "set", "t0", "mtu", str(mtu), "txqueuelen",
                    "5000", "up")
                run("ip", "address", "add", "10.9.0.%d/24" % (i + 1), "dev",
                    "t0")
                if mtu >= 1280:
                    run("ip", "address", "add", "fd09::%x/64" % (i + 1),
                        "dev", "t0", "nodad")
                sysctl("ipv4/tcp_ecn", int(ecn))
                sysctl("ipv4/tcp_timestamps", int(timestamps))

    def close(self):
        for fd in self.fds + [s.fd for s in self.sides]:
            os.close(fd)

    def congest(self, frame):
        """Now and then a router on the way marks a packet (RFC 3168)."""
        packet = frame[VNET:]
        if packet[0] >> 4 == 4 and packet[1] & 3 in (1, 2):
            packet = ip_checksum(packet[:1] + bytes([packet[1] | 3])
                                 + packet[2:])
        elif packet[0] >> 4 == 6 and packet[1] >> 4 & 3 in (1, 2):
            packet = packet[:1] + bytes([packet[1] | 0x30]) + packet[2:]
        return frame[:VNET] + packet

    def carry(self, seconds=0.0):
        """Frames across, both ways, until there is none for so long."""
        while select.select(self.fds, [], [], seconds)[0]:
            for i in 0, 1:
                for _ in range(64):
                    try:
                        frame = os.read(self.fds[i], 1 << 17)
                    except BlockingIOError:
                        break
                    if i == 0:
                        self.kept.append(frame)
                        if self.ecn and len(frame) > 3000 and \
                                self.mark.random() < 0.1:
                            frame = self.congest(frame)
                    os.write(self.fds[1 - i], frame)
            if seconds == 0.0:
                return

    def tcp(self, version, options=(), chunks=(1 << 20,)):
        """One connection from the first side, with these writes."""
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        with self.sides[1]:
            listener = socket.socket(family)
        listener.bind((("10.9.0.2" if version == 4 else "fd09::2"), 5000))
        listener.listen()
        listener.setblocking(False)
        with self.sides[0]:
            s = socket.socket(family)
        s.setblocking(False)
        for option in options:
            s.setsockopt(*option)
        s.connect_ex(listener.getsockname())
        while True:
            self.carry(0.05)
            try:
                got, _ = listener.accept()
                break
            except BlockingIOError:
                continue
        got.setblocking(False)
        sent = b"".join(random.Random(n).randbytes(n) for n in chunks)
        received, at, ends = bytearray(), 0, []
        for n in chunks:
            ends.append((ends[-1] if ends else 0) + n)
        while len(received) < len(sent):
            while at < len(sent):
                end = next(e for e in ends if e > at)
                try:
                    at += s.send(sent[at:end])
                except BlockingIOError:
                    break
                if at == len(sent):
                    s.shutdown(socket.SHUT_WR)
            self.carry(0.0)
            select.select(self.fds + [got], [], [], 0.2)
            try:
                received += got.recv(1 << 20)
            except BlockingIOError:
                pass
        assert received == sent
        for sock in s, got, listener:
            sock.close()
        self.carry(0.05)

    def udp(self, version, size, lengths, options=()):
        """Datagrams of one size by UDP_SEGMENT, so many bytes at a time."""
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        with self.sides[0]:
            s = socket.socket(family, socket.SOCK_DGRAM)
        s.setsockopt(17, 103, size)
        for option in options:
            s.setsockopt(*option)
        s.connect((("10.9.0.2" if version == 4 else "fd09::2"), 4000))
        fill = random.Random(size)
        for n in lengths:
            s.send(fill.randbytes(n))
        s.close()
        self.carry(0.05)
