"""The ways from one namespace to the other that are compared."""

import os
import shutil
import sys
import time

from machine import cpu_seconds, descendants, read, run, stat_of

MTU = 1420
# On the veth.  Any that are free; the queues of tund take the next ones, too.
PORTS = {"tund": 6080, "tund6": 6081, "tund rr": 6082,
         "tund pinned": 6083, "vxlan": 4789, "vtun": 5000, "openvpn": 1195,
         "fastd": 1196}


class Tunnel:
    """Inner addresses are 10.N.0.1 and .2, fd00:N::1 and ::2."""
    name = None
    number = None
    package = None
    needed = False  # for any of the rest to be of use

    def __init__(self, net, folder):
        self.net = net
        self.folder = folder
        self.children = []

    def address(self, side, family=4):
        n = 1 if side == "a" else 2
        return (f"10.{self.number}.0.{n}" if family == 4
                else f"fd00:{self.number}::{n}")

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.folder, f"{self.name}-{name}")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def daemon(self, side, *argv):
        log = open(os.path.join(self.folder, f"{self.name}-{side}.log"), "w",
                   encoding="utf-8")
        with log:
            child = self.net.spawn(side, *argv, stdout=log, stderr=log)
        self.children.append(child)

    def wait_for(self, side, device):
        for _ in range(100):
            if "mtu" in self.net.ip(side, "link", "show", device, check=False):
                return
            time.sleep(0.1)
        log = read(os.path.join(self.folder, f"{self.name}-{side}.log")) or ""
        raise RuntimeError(f"{self.name}: no {device}: {log[-400:]}")

    def configure(self, device, addresses=True, sides=("a", "b")):
        """Addresses, MTU and queue length: the same for everyone."""
        for side in sides:
            self.wait_for(side, device)
            if addresses:
                self.net.ip(side, "addr", "flush", "dev", device)
                for family, bits in ((4, 24), (6, 64)):
                    self.net.ip(side, "addr", "add",
                                f"{self.address(side, family)}/{bits}", "dev",
                                device, *(["nodad"] if family == 6 else []))
            self.net.ip(side, "link", "set", device, "mtu", str(MTU),
                        "txqueuelen", "1000", "up")

    def start(self):
        raise NotImplementedError

    def ready(self):
        """Does a ping come back?"""
        for _ in range(30):
            out = run(*self.net.enter("a"), "ping", "-c", "1", "-W", "1",
                      self.address("b"), check=False)
            if " 0% packet loss" in out:
                return
            time.sleep(0.2)
        raise RuntimeError(f"{self.name}: no answer to a ping")

    def processes(self):
        return descendants({child.pid for child in self.children})

    def cpu(self):
        return cpu_seconds(self.processes())

    def stop(self):
        for child in self.children:
            self.net.stop(child)
        self.children = []


class Veth(Tunnel):
    """No tunnel at all."""
    name = "veth"
    needed = True

    def address(self, side, family=4):
        n = 1 if side == "a" else 2
        return f"192.0.2.{n}" if family == 4 else f"2001:db8::{n}"

    def start(self):
        pass


class Vxlan(Tunnel):
    """In the kernel."""
    name = "vxlan"
    number = 20

    def start(self):
        for side, here, there in (("a", 1, 2), ("b", 2, 1)):
            self.net.ip(side, "link", "add", "vxlan0", "type", "vxlan", "id",
                        "7", "local", f"192.0.2.{here}", "remote",
                        f"192.0.2.{there}", "dstport", str(PORTS["vxlan"]),
                        "dev", "v0")
        self.configure("vxlan0")


class Tund(Tunnel):
    """Everything on, as installed."""
    name = "tund"
    number = 10
    needed = True
    device = "tund0"
    outer = {"a": "192.0.2.1", "b": "192.0.2.2"}
    listen = "0.0.0.0"
    sides = ("a", "b")
    settings = ()  # more statements for the interface

    def __init__(self, net, folder, build):
        super().__init__(net, folder)
        self.build = build

    def peers(self, side):
        other = "b" if side == "a" else "a"
        return [(other, self.outer[other],
                 [self.address(other), self.address(other, 6)])]

    def interface(self, side):
        lines = [f'interface "{self.device}" {{', f"\tmtu {MTU}",
                 f"\taddress {self.address(side)}/24",
                 f"\taddress {self.address(side, 6)}/64",
                 f"\tlisten udp on {self.listen} port {PORTS[self.name]}",
                 *(f"\t{line}" for line in self.settings)]
        for name, endpoint, prefixes in self.peers(side):
            lines += [f'\tpeer "{name}" {{',
                      f"\t\tendpoint {endpoint} port {PORTS[self.name]}",
                      "\t\tallow {", *(f"\t\t\t{p}" for p in prefixes),
                      "\t\t}", "\t}"]
        return "\n".join([*lines, "}"])

    def users(self):
        """Ours where they are installed, else any that are not root."""
        text = open("/etc/passwd", encoding="utf-8").read()
        if "\n_tund:" in text and "\n_tundctl:" in text:
            return ""
        print("net.py: no _tund and _tundctl: their parts have nobody and "
              "daemon", file=sys.stderr)
        return 'user "nobody"\ncontrol-user "daemon"\n'

    def start(self):
        for side in self.sides:
            base = os.path.join(self.folder, f"{self.name}-{side}")
            conf = self.write(f"{side}.conf", self.users() +
                              "sandbox strict\n"
                              f'control "{base}.sock"\n'
                              f'control read-only "{base}.rsock"\n'
                              f"{self.interface(side)}\n")
            self.daemon(side, os.path.join(self.build, "tund"), "-d", "-x",
                        self.build, "-f", conf)
        self.configure(self.device, addresses=False, sides=self.sides)

    def workers(self):
        return [pid for pid in self.processes()
                if (stat_of(pid) or {}).get("name") == "tund-worker"]


class Tund6(Tund):
    """The same with IPv6 outside."""
    name = "tund6"
    needed = False
    number = 11
    device = "tund6"
    outer = {"a": "2001:db8::1", "b": "2001:db8::2"}
    listen = "::"


class TundRr(Tund):
    """The same with a real-time priority."""
    name = "tund rr"
    needed = False
    number = 12
    device = "tund2"
    settings = ("sched-policy rr",)


class TundPinned(Tund):
    """Both workers on one CPU, and so on that of the veth's softirqs."""
    name = "tund pinned"
    needed = False
    number = 13
    device = "tund3"
    settings = ("cpus 0",)


class TundQueues(Tund):
    """A worker for each of some queues."""

    def __init__(self, net, folder, build, queues):
        super().__init__(net, folder, build)
        self.settings = (f"queues {queues}",)


class TundSink(TundQueues):
    """
    One tund alone.  Its peer has an address that host b does not have, so
    that b drops what comes as soon as it sees it.
    """
    sides = ("a",)
    outer = {"a": "192.0.2.1", "b": "192.0.2.99"}

    def peers(self, side):
        return [("sink", self.outer["b"], ["10.128.0.0/16"])]

    def start(self):
        link = self.net.ip("b", "-br", "link", "show", "v0").split()
        self.net.ip("a", "neigh", "replace", self.outer["b"], "lladdr",
                    link[2], "dev", "v0")
        super().start()
        self.net.ip("a", "route", "add", "10.128.0.0/16", "dev", self.device)

    def ready(self):
        for _ in range(50):
            if len(self.workers()) > 0:
                time.sleep(0.5)
                return
            time.sleep(0.1)
        raise RuntimeError("no worker")


class TundPeers(Tund):
    """
    One tund a side with many peers: each has its own pair of outer addresses.
    Host a has 10.(64+i).0.0/16 for peer i, host b 10.(128+i).0.0/16, all of
    it local, so that as many flows as wanted can be sent.  11.0.0.0/16 goes to
    the first peer, too, whole or by a prefix for each of its addresses from
    the first on.
    """
    def __init__(self, net, folder, build, count, prefixes=1):
        super().__init__(net, folder, build)
        self.count = count
        self.prefixes = prefixes

    def outer_of(self, side, i):
        return f"172.16.{i}.{1 if side == 'a' else 2}"

    def inner_of(self, side, i):
        return f"10.{(64 if side == 'a' else 128) + i}"

    def block(self, first):
        """b has as many to check what comes, none of them its own."""
        if self.prefixes == 1:
            return [f"{first}.0.0.0/16"]
        return [f"{first}.0.{n >> 8}.{n & 255}/32"
                for n in range(self.prefixes)]

    def peers(self, side):
        other = "b" if side == "a" else "a"
        found = []
        for i in range(self.count):
            prefixes = [f"{self.inner_of(other, i)}.0.0/16"]
            if i == 0:
                prefixes.append(f"{self.address(other)}/32")
                prefixes += self.block(11 if side == "a" else 12)
            found.append((f"p{i}", self.outer_of(other, i), prefixes))
        return found

    def start(self):
        for side, other in (("a", "b"), ("b", "a")):
            for i in range(self.count):
                self.net.ip(side, "addr", "add",
                            f"{self.outer_of(side, i)}/32", "dev", "v0")
                self.net.ip(side, "route", "add",
                            f"{self.outer_of(other, i)}/32", "dev", "v0",
                            "src", self.outer_of(side, i))
        super().start()
        self.net.ip("a", "route", "add", "11.0.0.0/16", "dev", self.device)
        self.net.ip("b", "route", "add", "local", "11.0.0.0/16", "dev", "lo")
        for side, other in (("a", "b"), ("b", "a")):
            for i in range(self.count):
                self.net.ip(side, "route", "add", "local",
                            f"{self.inner_of(side, i)}.0.0/16", "dev", "lo")
                self.net.ip(side, "route", "add",
                            f"{self.inner_of(other, i)}.0.0/16", "dev",
                            self.device)

    def stop(self):
        super().stop()
        self.net.ip("b", "route", "del", "local", "11.0.0.0/16", check=False)
        for side, other in (("a", "b"), ("b", "a")):
            for i in range(self.count):
                self.net.ip(side, "route", "del",
                            f"{self.outer_of(other, i)}/32", check=False)
                self.net.ip(side, "addr", "del",
                            f"{self.outer_of(side, i)}/32", "dev", "v0",
                            check=False)
                self.net.ip(side, "route", "del", "local",
                            f"{self.inner_of(side, i)}.0.0/16", check=False)


class Vtun(Tunnel):
    name = "vtun"
    number = 30
    package = "vtun"

    CONF = """
options { port %d; timeout 30; ip /sbin/ip; }
bench {
	passwd bench;
	type tun;
	proto udp;
	device vtun0;
	encrypt no;
	compress no;
	keepalive no;
	stat no;
	multi killold;
}
""" % PORTS["vtun"]

    def start(self):
        # the package makes it at boot alone
        os.makedirs("/var/lock/vtund", exist_ok=True)
        # a device that is not up when it begins to read ends the session
        for side in ("a", "b"):
            self.net.ip(side, "tuntap", "add", "vtun0", "mode", "tun")
        self.configure("vtun0")
        port, conf = str(PORTS["vtun"]), self.write("conf", self.CONF)
        self.daemon("b", "vtund", "-s", "-n", "-f", conf, "-P", port, "-L",
                    "192.0.2.2")
        time.sleep(0.5)
        self.daemon("a", "vtund", "-n", "-f", conf, "-P", port, "bench",
                    "192.0.2.2")

    def processes(self):
        """The server's sessions may have left their parent."""
        inside = self.net.inside()
        return {pid for pid in inside
                if "vtun" in (stat_of(pid) or {}).get("name", "")}


class Openvpn(Tunnel):
    """Neither keys nor certificates: nothing is encrypted or signed."""
    name = "openvpn"
    number = 40
    package = "openvpn"

    def start(self):
        for side, here, there in (("a", 1, 2), ("b", 2, 1)):
            self.daemon(side, "openvpn", "--dev", "ovpn0", "--dev-type", "tun",
                        "--proto", "udp4", "--local", f"192.0.2.{here}",
                        "--remote", f"192.0.2.{there}", "--port",
                        str(PORTS["openvpn"]), "--cipher", "none", "--auth",
                        "none", "--disable-dco", "--fast-io", "--tun-mtu",
                        str(MTU), "--mssfix", "0", "--ifconfig-noexec",
                        "--ifconfig", self.address(side),
                        self.address("b" if side == "a" else "a"))
        self.configure("ovpn0")


class Fastd(Tunnel):
    """Method null: keys for the handshake, nothing afterwards."""
    name = "fastd"
    number = 50
    package = "fastd"

    def key(self):
        text = run("fastd", "--generate-key", "--machine-readable")
        secret = text.strip().splitlines()[-1].strip()
        conf = self.write("key", f'secret "{secret}";\nmethod "null";\n')
        public = run("fastd", "--config", conf, "--show-key",
                     "--machine-readable").strip().splitlines()[-1].strip()
        return secret, public

    def start(self):
        keys = {"a": self.key(), "b": self.key()}
        for side, other, here, there in (("a", "b", 1, 2), ("b", "a", 2, 1)):
            port = PORTS["fastd"]
            conf = self.write(f"{side}.conf", f"""
log level warn;
mode tun;
interface "fastd0";
method "null";
mtu {MTU};
bind 192.0.2.{here}:{port};
secret "{keys[side][0]}";
peer "{other}" {{
	remote 192.0.2.{there}:{port};
	key "{keys[other][1]}";
}}
""")
            self.daemon(side, "fastd", "--config", conf)
        self.configure("fastd0")


FOREIGN = (Vtun, Openvpn, Fastd)


def install(packages):
    """
    Peers from the distribution.  Returns those that could not be had.  Nothing
    may be started by the act of installing.
    """
    wanted = [p for p in packages if not shutil.which(
        {"vtun": "vtund"}.get(p, p))]
    if not wanted:
        return []
    policy = "/usr/sbin/policy-rc.d"
    made = not os.path.exists(policy)
    if made:
        with open(policy, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\nexit 101\n")
        os.chmod(policy, 0o755)
    missing = []
    try:
        # an old list of packages may name what is no longer served
        run("apt-get", "-q", "update", check=False, timeout=300)
        for package in wanted:
            try:
                run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get",
                    "install", "-y", "--no-install-recommends", package,
                    timeout=300)
            except Exception as e:  # a benchmark goes on without it
                lines = str(e).strip().splitlines()
                missing.append((package, lines[-1] if lines else "?"))
    finally:
        if made:
            os.unlink(policy)
    return missing
