"""What this machine is and does: processes, CPU time, load, namespaces."""

import os
import platform
import signal
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
VETH_MTU = 1500


def run(*argv, check=True, timeout=60):
    """Runs a command to its end; returns what it wrote."""
    done = subprocess.run(argv, text=True, timeout=timeout,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {done.stdout.strip()}")
    return done.stdout


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return None


def stat_of(pid):
    """Parent, user and system ticks, the same of its dead children."""
    text = read(f"/proc/{pid}/stat")
    if text is None:
        return None
    name, fields = text[text.index("(") + 1:].rsplit(")", 1)
    f = fields.split()
    return {"name": name, "parent": int(f[1]), "kernel": int(f[6]) & 0x200000,
            "own": int(f[11]) + int(f[12]), "dead": int(f[13]) + int(f[14])}


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def descendants(roots):
    """The processes and all their children, to any depth."""
    parent = {}
    for pid in pids():
        stat = stat_of(pid)
        if stat is not None:
            parent[pid] = stat["parent"]
    found = {pid for pid in roots if pid in parent}
    while True:
        more = {pid for pid, of in parent.items() if of in found} - found
        if not more:
            return found
        found |= more


def cpu_seconds(of):
    """
    CPU time of processes.  schedstat counts nanoseconds; what stat says is
    charged by the tick, which errs by up to a factor of two.
    """
    total = 0
    for pid in of:
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for task in tasks:
            text = read(f"/proc/{pid}/task/{task}/schedstat")
            total += int(text.split()[0]) if text else 0
    return total / 1e9


def resident_kib(pid):
    for line in (read(f"/proc/{pid}/status") or "").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return None


class Load:
    """CPU time of everything that is not ours, and stolen, since the start."""

    def __init__(self, ours):
        self.ours = ours
        self.start = time.monotonic()
        self.before = self.others()
        self.stolen = self.steal()

    @staticmethod
    def steal():
        return int(read("/proc/stat").splitlines()[0].split()[8])

    def others(self):
        """
        Ticks of all processes that are not ours.  The ticks of one that has
        ended go to its parent, so that the sum stays right.
        """
        ours, ticks = self.ours(), 0
        for pid in pids():
            stat = stat_of(pid)
            if stat and pid not in ours and not stat["kernel"]:
                ticks += stat["own"] + stat["dead"]
        return ticks

    def share(self):
        """In units of one CPU."""
        took = time.monotonic() - self.start
        ticks = max(0, self.others() - self.before)
        return (ticks + self.steal() - self.stolen) / TICK / took


class Namespaces:
    """Two network namespaces with a veth between them."""

    def __init__(self):
        tag = os.getpid()
        self.names = {"a": f"bench{tag}a", "b": f"bench{tag}b"}
        self.children = []

    def create(self):
        for ns in self.names.values():
            run("ip", "netns", "add", ns)
        run("ip", "link", "add", "v0", "netns", self.names["a"], "mtu",
            str(VETH_MTU), "type", "veth", "peer", "name", "v0", "netns",
            self.names["b"], "mtu", str(VETH_MTU))
        for side, ns in self.names.items():
            n = 1 if side == "a" else 2
            self.ip(side, "link", "set", "lo", "up")
            self.ip(side, "addr", "add", f"192.0.2.{n}/24", "dev", "v0")
            self.ip(side, "addr", "add", f"2001:db8::{n}/64", "dev", "v0",
                    "nodad")
            self.ip(side, "link", "set", "v0", "up")

    def ip(self, side, *argv, check=True):
        return run("ip", "-n", self.names[side], *argv, check=check)

    def enter(self, side):
        return ["ip", "netns", "exec", self.names[side]]

    def spawn(self, side, *argv, **more):
        """A process that lives until stop() or cleanup."""
        child = subprocess.Popen([*self.enter(side), *argv], **more)
        self.children.append(child)
        return child

    def stop(self, child):
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if child in self.children:
            self.children.remove(child)

    def offloads(self, on):
        """As the kernel makes the veth, or as behind a NIC without any."""
        word = "on" if on else "off"
        for side in self.names:
            run(*self.enter(side), "ethtool", "-K", "v0", "tso", word, "gso",
                word, "gro", "off", "tx-udp-segmentation", word)

    def inside(self):
        """Processes in our namespaces: ours, whoever started them."""
        nodes = set()
        for ns in self.names.values():
            try:
                nodes.add(os.stat(f"/run/netns/{ns}").st_ino)
            except OSError:
                pass
        found = set()
        for pid in pids():
            try:
                if os.stat(f"/proc/{pid}/ns/net").st_ino in nodes:
                    found.add(pid)
            except OSError:
                pass
        return found

    def ours(self):
        return descendants({os.getpid()} | self.inside())

    def destroy(self):
        for child in list(self.children):
            self.stop(child)
        for pid in self.inside():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        for ns in self.names.values():
            if os.path.exists(f"/run/netns/{ns}"):
                run("ip", "netns", "del", ns, check=False)


def describe():
    """The machine, for the head of the tables."""
    model = "unknown CPU"
    for line in (read("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    cc = read("/proc/sys/net/ipv4/tcp_congestion_control") or "?"
    return {"date": time.strftime("%Y-%m-%d"),
            "congestion_control": cc.strip(),
            "iperf3": run("iperf3", "--version").splitlines()[0],
            "kernel": platform.release(), "machine": platform.machine(),
            "cpu": model, "cpus": os.cpu_count(),
            "memory_gib": round(pages / 2**30, 1)}
