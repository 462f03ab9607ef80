#!/usr/bin/env python3
"""
The network benchmark: tund beside the bare veth, VXLAN in the kernel, and the
user-space tunnels of the distribution, all between the same two namespaces, in
interleaved rounds.  See BENCHMARKS.md for the method.
"""

import argparse
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple, Optional

import goals
from machine import (VETH_MTU, Load, Namespaces, describe, read, resident_kib,
                     run)
from tunnels import (FOREIGN, MTU, Tund, Tund6, TundPeers, TundPinned,
                     TundQueues, TundRr, TundSink, Veth, Vxlan, install)

IPERF_PORT = 5201
PPS_PORT = 5300
RETRIES = 3
PING_INTERVAL = 0.01
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WAYS = {"veth", "vxlan", "tund", "tund rr", "tund pinned", "tund 6 in 4",
        "tund 4 in 6", "tund 6 in 6", *goals.FOREIGN}


class Way:
    """A tunnel with the IP version of what goes through it."""

    def __init__(self, tunnel, family=4, label=None):
        self.tunnel = tunnel
        self.family = family
        self.name = label or tunnel.name

    def to(self, side):
        return self.tunnel.address(side, self.family)


class Run(NamedTuple):
    """One measure, once."""
    value: float
    gigabytes: Optional[float] = None  # that were carried, if known
    offered: Optional[float] = None    # Gbit/s that the generator sent


class Bench:
    def __init__(self, args, net):
        self.args = args
        self.net = net
        self.samples = {}  # (mode, measure, way) -> {round: value}
        self.cpu = {}      # the same -> [seconds per GB]
        # the same -> [Gbit/s]: a generator may be kept from its rate
        self.offered = {}
        # the same -> [share of a CPU that others had], where it was too much
        self.others = {}
        self.up = []       # tunnels
        self.round = 0
        self.repeated = 0
        self.failed = []
        self.workers = []  # whose memory is looked at after each round
        self.resident = []
        self.sleeper = None  # in host b, to read its /proc/PID/net

    def look_at_memory(self):
        found = [resident_kib(pid) or 0 for pid in self.workers]
        if found:
            self.resident.append(max(found))

    def start(self, tunnel):
        self.up.append(tunnel)
        tunnel.start()
        tunnel.ready()

    def stop(self, tunnel):
        tunnel.stop()
        self.up.remove(tunnel)

    # ---- one run each ----

    @contextlib.contextmanager
    def iperf_server(self):
        server = self.net.spawn("b", "iperf3", "-s", "-1", "-p",
                                str(IPERF_PORT), stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                if run(*self.net.enter("b"), "ss", "-Hltn",
                       f"sport = :{IPERF_PORT}").strip():
                    break
                time.sleep(0.02)
            else:
                raise RuntimeError("iperf3 does not listen")
            yield
        finally:
            self.net.stop(server)

    def iperf(self, way, *more):
        seconds = self.args.seconds
        with self.iperf_server():
            out = run(*self.net.enter("a"), "iperf3", "-c", way.to("b"), "-p",
                      str(IPERF_PORT), "-t", str(seconds), "-J", *more,
                      timeout=seconds + 20, check=False)
        report = json.loads(out)
        if "error" in report:
            raise RuntimeError(report["error"])
        return report["end"]

    def tcp(self, way, cc, streams=1, reverse=False):
        end = self.iperf(way, "-C", cc, "-P", str(streams),
                         *(["-R"] if reverse else []))
        got = end["sum_received"]
        return Run(got["bits_per_second"] / 1e9, got["bytes"] / 1e9)

    def pps(self, way, *options, to=None, field="packets"):
        path = os.path.join(self.args.build, "bench", "pps")
        grow = ["-g"] if "-g" in options else []
        receiver = self.net.spawn("b", path, *grow, "receive", str(PPS_PORT),
                                  stdout=subprocess.PIPE, text=True)
        try:
            if receiver.stdout.readline().strip() != "ready":
                raise RuntimeError("the receiver did not start")
            sent = run(*self.net.enter("a"), path, *options, "-t",
                       str(self.args.seconds), "send", to or way.to("b"),
                       str(PPS_PORT), timeout=self.args.seconds + 20)
            time.sleep(0.3)
            receiver.send_signal(signal.SIGTERM)
            got = json.loads(receiver.stdout.readline())
        finally:
            self.net.stop(receiver)
            receiver.stdout.close()
        offered = None
        if "-r" in options:
            sent = json.loads(sent)
            offered = sent["bytes"] * 8 / sent["seconds"] / 1e9
        if not got["received"]:
            raise RuntimeError("nothing arrived")
        took = got["seconds"]
        rate = (got["received"] / 1e3 if field == "packets"
                else got["bytes"] * 8 / 1e9)
        return Run(rate / took, got["bytes"] / 1e9, offered)

    def udp(self, way):
        return self.pps(way, "-g", "-l", "1200", field="bytes")

    def udp_offered(self, way):
        return self.pps(way, "-g", "-l", "1200", "-r", str(goals.OFFERED),
                        field="bytes")

    def udp_plain(self, way):
        return self.pps(way, "-l", "1200", field="bytes")

    def small(self, way):
        return self.pps(way, "-l", "64")

    def received(self):
        """Bytes that host b's end of the veth has seen."""
        for line in read(f"/proc/{self.sleeper.pid}/net/dev").splitlines():
            if line.strip().startswith("v0:"):
                return int(line.split(":")[1].split()[0])
        raise RuntimeError("no v0")

    def drain_once(self, workers):
        """
        The queues are filled while the workers are stopped; then these have
        the CPUs to themselves.  Bytes that left, and the seconds they took.
        """
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            run(*self.net.enter("a"),
                os.path.join(self.args.build, "bench", "pps"), "-g", "-l",
                "1200", "-f", "1024", "-t", "0.4", "send", "10.128.0.1",
                str(PPS_PORT))
            before = self.received()
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
        start = last = time.monotonic()
        now = seen = before
        while time.monotonic() - last < 0.1:
            time.sleep(0.001)
            if (now := self.received()) != seen:
                seen, last = now, time.monotonic()
        if now == before:
            raise RuntimeError("nothing left the queues")
        return now - before, last - start

    def drain(self, way):
        workers = way.tunnel.workers()
        if self.sleeper is None:
            self.sleeper = self.net.spawn("b", "sleep", "infinity")
            time.sleep(0.2)
        each, total = [], 0
        for _ in range(9):
            moved, took = self.drain_once(workers)
            each.append(moved * 8 / took / 1e9)
            total += moved
        return Run(statistics.median(each), total / 1e9)

    def ping(self, way, seconds):
        out = run(*self.net.enter("a"), "ping", "-i", str(PING_INTERVAL), "-w",
                  str(max(1, round(seconds))), way.to("b"),
                  timeout=seconds + 20, check=False)
        times = [float(t) for t in re.findall(r"time=([0-9.]+)", out)]
        if len(times) < 10:
            raise RuntimeError("pings were lost")
        # the last may have been under way; one that is lost took for ever
        sent = int(re.search(r"(\d+) packets transmitted", out).group(1))
        lost = max(0, sent - len(times) - 1)
        return sorted(times) + [float("inf")] * lost

    def ping_idle(self, way):
        times = self.ping(way, min(2, self.args.seconds))
        if times[-1] == float("inf"):
            raise RuntimeError("pings were lost")
        return Run(statistics.fmean(times))

    def ping_loaded(self, way, cc):
        # the stream begins before the pings and outlasts them
        seconds = self.args.seconds
        with self.iperf_server():
            client = self.net.spawn("a", "iperf3", "-c", way.to("b"), "-p",
                                    str(IPERF_PORT), "-t", str(seconds + 2),
                                    "-C", cc, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
            try:
                time.sleep(0.7)
                times = self.ping(way, seconds)
                if client.wait(seconds + 20) != 0:
                    raise RuntimeError("no stream ran beside the pings")
            finally:
                self.net.stop(client)
        p99 = times[int(len(times) * 0.99)]
        if p99 == float("inf"):
            raise RuntimeError("more than a hundredth of the pings were lost")
        return Run(p99)

    # ---- rounds ----

    def sample(self, key, way, measure):
        """
        One run, again while something else uses the machine: of those all the
        one that was disturbed least.
        """
        best = None
        for attempt in range(RETRIES + 1):
            load = Load(self.net.ours)
            who, before = way.tunnel.processes(), way.tunnel.cpu()
            got = measure(way)
            cpu = way.tunnel.cpu() - before
            others = load.share()
            if way.tunnel.processes() != who:
                raise RuntimeError("a process of it ended during the run")
            if best is None or others < best[0]:
                best = others, got, cpu
            if others * 100 <= self.args.others:
                break
            self.repeated += attempt < RETRIES
        others, got, cpu = best
        if others * 100 > self.args.others:
            self.others.setdefault(key, []).append(others)
        self.samples.setdefault(key, {})[self.round] = got.value
        if got.offered is not None:
            self.offered.setdefault(key, []).append(got.offered)
        if got.gigabytes and way.tunnel.children:
            self.cpu.setdefault(key, []).append(cpu / got.gigabytes)
        return got.value

    def each_round(self):
        for self.round in range(self.args.rounds):
            yield self.round

    def rounds(self, mode, measures):
        """
        measures: (name, function, ways).  Ways take turns in a round, and in
        the next another is the first.
        """
        for n in self.each_round():
            for name, function, ways in measures:
                first = n % len(ways)
                for way in ways[first:] + ways[:first]:
                    self.one(mode, name, way, function)
            self.look_at_memory()
            say(f"{mode}: round {n + 1} of {self.args.rounds} done")

    def one(self, mode, name, way, function):
        if self.args.only and not any(word in f"{mode} {name}"
                                      for word in self.args.only):
            return
        if self.args.ways and way.name not in self.args.ways:
            return
        try:
            value = self.sample((mode, name, way.name), way, function)
            if self.args.verbose:
                say(f"  {mode}, {name}, {way.name}: {value:.3f}")
        except (RuntimeError, OSError, ValueError, KeyError,
                subprocess.TimeoutExpired) as e:
            self.failed.append(f"{mode}, {name}, {way.name}: {e}")
            say(f"  {self.failed[-1]}")


def say(text):
    print(text, file=sys.stderr, flush=True)


def tcp_measures(bench, all_ways, near, streams=(1, 4)):
    """Slow tunnels are compared by one stream in one direction."""
    found = []
    for cc in ("bbr", "cubic"):
        for n in streams:
            for reverse in (False, True):
                name = (f"tcp {cc} {n} stream{'s' if n > 1 else ''} "
                        f"{'b-a' if reverse else 'a-b'}")
                found.append((name, lambda way, c=cc, k=n, r=reverse:
                              bench.tcp(way, c, k, r),
                              near if reverse or n > 1 else all_ways))
    return found


def start_all(bench, tunnels):
    """Those that run; without what is needed there is no use in the rest."""
    for tunnel in tunnels:
        try:
            bench.start(tunnel)
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as e:
            if tunnel.needed:
                raise
            bench.failed.append(f"{tunnel.name} does not run: {e}")
            say(bench.failed[-1])
            bench.stop(tunnel)
    return list(bench.up)


def main_part(bench, folder):
    """Everything that is compared, with both kinds of veth."""
    args, net = bench.args, bench.net
    foreign = [kind(net, folder) for kind in FOREIGN
               if not args.without or kind.__name__.lower() not in
               args.without]
    missing = install([t.package for t in foreign])
    for package, why in missing:
        say(f"missing: {package}: {why}")
        bench.failed.append(f"missing: {package}: {why}")
    gone = {package for package, why in missing}
    foreign = [t for t in foreign if t.package not in gone]
    tund, tund6 = Tund(net, folder, args.build), Tund6(net, folder, args.build)
    rr = TundRr(net, folder, args.build)
    pinned = TundPinned(net, folder, args.build)
    up = start_all(bench, [Veth(net, folder), Vxlan(net, folder), tund, tund6,
                           rr, pinned, *foreign])
    ways = [Way(t) for t in up if t not in (tund6, rr, pinned)]
    every = [*ways, Way(rr), Way(pinned)]
    near = [w for w in ways if w.name in ("veth", "vxlan", "tund")]
    tunnels = [w for w in every if w.name != "veth"]
    inner = [Way(tund), Way(tund, 6, "tund 6 in 4"), Way(tund6, 4,
             "tund 4 in 6"), Way(tund6, 6, "tund 6 in 6")]
    bench.workers = tund.workers()
    bench.look_at_memory()
    net.offloads(True)
    bench.rounds("offloads on", [
        *tcp_measures(bench, every, [*near, Way(pinned)]),
        ("udp 1200 B in runs", bench.udp, [*near, Way(rr), Way(pinned)]),
        (goals.UDP_OFFERED, bench.udp_offered, [*near, Way(rr), Way(pinned)]),
        ("udp 1200 B one by one", bench.udp_plain, near),
        ("udp 64 B", bench.small, every),
        ("ping idle", bench.ping_idle, [*ways, Way(pinned)]),
        ("ping p99 under tcp bbr",
         lambda way: bench.ping_loaded(way, "bbr"), tunnels),
        ("ping p99 under tcp cubic",
         lambda way: bench.ping_loaded(way, "cubic"), tunnels),
        ("ip versions, tcp bbr", lambda way: bench.tcp(way, "bbr"), inner),
        ("ip versions, tcp cubic", lambda way: bench.tcp(way, "cubic"), inner),
        ("ip versions, udp 64 B", bench.small, inner)])
    net.offloads(False)
    bench.rounds("offloads off", [
        *tcp_measures(bench, [*ways, Way(pinned)], near, streams=(1,)),
        ("udp 1200 B in runs", bench.udp, near),
        ("udp 64 B", bench.small, near)])
    net.offloads(True)
    # at the start, then after each round
    return {"worker_rss_kib": bench.resident}


def peers_part(bench, folder):
    """N peers with M flows, at the same load; and 10,000 prefixes."""
    args, net = bench.args, bench.net
    for n in bench.each_round():
        for count in (1, 8, 64):
            tund = TundPeers(net, folder, args.build, count)
            bench.start(tund)
            for flows in (1, 128, 4096):
                if flows < count:
                    continue
                many_flows(bench, "peers", Way(tund, label=f"{count} peers, "
                           f"{flows} flows"), "10.128.0.1", "-f", str(flows),
                           "-p", str(min(count, flows)), "-s", "10.64.0.1")
            bench.stop(tund)
        for prefixes in (1, 10000):
            tund = TundPeers(net, folder, args.build, 1, prefixes)
            bench.start(tund)
            # a look-up for every eighth packet, each of another prefix
            many_flows(bench, "prefixes", Way(tund, label=f"{prefixes} "
                       "prefixes"), "11.0.0.1", "-f", "4096", "-b", "8")
            bench.stop(tund)
        say(f"peers: round {n + 1} of {args.rounds} done")


def queues_part(bench, folder):
    """One worker and two: beside the load's generators, and without them."""
    args, net = bench.args, bench.net
    for n in bench.each_round():
        for queues in (1, 2):
            label = f"{queues} queue{'s' if queues > 1 else ''}"
            tund = TundQueues(net, folder, args.build, queues)
            bench.start(tund)
            for cc in ("bbr", "cubic"):
                bench.one("queues", f"tcp {cc} 8 streams",
                          Way(tund, label=label),
                          lambda w, c=cc: bench.tcp(w, c, 8))
            bench.stop(tund)
            tund = TundSink(net, folder, args.build, queues)
            bench.start(tund)
            bench.one("queues", "egress alone", Way(tund, label=label),
                      bench.drain)
            bench.stop(tund)
        say(f"queues: round {n + 1} of {args.rounds} done")


def many_flows(bench, mode, way, to, *many):
    """Flows are told apart by addresses; see TundPeers."""
    bench.one(mode, "udp 64 B", way,
              lambda w: bench.pps(w, "-l", "64", *many, to=to))
    bench.one(mode, "udp 1200 B in runs", way,
              lambda w: bench.pps(w, "-g", "-l", "1200", *many, to=to,
                                  field="bytes"))


def attempt(bench, part, folder):
    """What was measured before a failure is worth its hour."""
    try:
        return part(bench, folder) or {}
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as e:
        bench.failed.append(f"{part.__name__}: {e}")
        say(bench.failed[-1])
        return {}
    finally:
        # its tunnels have the names and ports of the next part's
        for tunnel in list(bench.up):
            bench.stop(tunnel)


def figure(values, places):
    return f"{statistics.median(values):.{places}f}" if values else ""


def table(bench):
    """A row for each way of each measure; those of a measure stand together."""
    row = "{:46} {:20} {:>9} {:>9} {:>9} {:>9} {:>8} {:>9}"
    print("\n" + ", ".join(f"{k} {v}" for k, v in describe().items()) + "\n")
    print(row.format("measure", "way", "median", "min", "max", "CPU s/GB",
                     "offered", "disturbed"))
    mode, measures = None, {}
    for key in bench.samples:
        measures.setdefault(key[:2], []).append(key)
    for (of, name), keys in measures.items():
        if of != mode:
            mode = of
            print(f"\n{mode}")
        label = f"{name}, {goals.unit(name)}"
        for key in keys:
            values = bench.samples[key].values()
            print(row.format(label, key[2], figure(values, 3),
                             f"{min(values):.3f}", f"{max(values):.3f}",
                             figure(bench.cpu.get(key), 2),
                             figure(bench.offered.get(key), 1),
                             len(bench.others.get(key, [])) or "").rstrip())
            label = ""


def disturbed(bench):
    return sum(len(shares) for shares in bench.others.values())


def spread(values):
    return {"median": statistics.median(values), "min": min(values),
            "max": max(values)}


def as_json(bench, extra, judged):
    found = {}
    for (mode, name, way), by_round in bench.samples.items():
        values = list(by_round.values())
        entry = {"unit": goals.unit(name), "rounds": values, **spread(values)}
        cpu = bench.cpu.get((mode, name, way))
        if cpu:
            entry["cpu_s_per_gb"] = spread(cpu)
        sent = bench.offered.get((mode, name, way))
        if sent:
            entry["offered"] = spread(sent)
        others = bench.others.get((mode, name, way))
        if others:
            entry["disturbed"] = others
        found.setdefault(mode, {}).setdefault(name, {})[way] = entry
    return {"machine": describe(), "settings": {
                "seconds": bench.args.seconds, "rounds": bench.args.rounds,
                "others_percent": bench.args.others,
                "veth_mtu": VETH_MTU, "tun_mtu": MTU},
            "results": found, "goals": judged.results,
            "unjudged": judged.unjudged, "failed": bench.failed,
            "repeated": bench.repeated, "disturbed": disturbed(bench), **extra}


def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("-b", "--build", default=".",
                   help="folder with tund and bench/pps")
    p.add_argument("-j", "--json", help="write the numbers there")
    p.add_argument("--micro", help="JSON of bench/micro to put in with them")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=int, default=5)
    p.add_argument("--only", action="append",
                   help="measures with this in their name; may be repeated")
    p.add_argument("--ways", action="append",
                   help="tund, vxlan, \"tund pinned\" ...; may be repeated")
    p.add_argument("--without", action="append",
                   help="leave vtun, openvpn or fastd out")
    p.add_argument("--others", type=float, default=10,
                   help="per cent of one CPU that other programs may use")
    p.add_argument("--no-main", action="store_true",
                   help="leave the comparison out")
    p.add_argument("--peers", action="store_true",
                   help="also many peers, flows and prefixes")
    p.add_argument("--queues", action="store_true",
                   help="also one worker beside two")
    p.add_argument("-v", "--verbose", action="store_true")
    args = p.parse_args()
    args.build = os.path.abspath(args.build)
    return args


def check(args):
    if os.geteuid() != 0:
        sys.exit("net.py: needs root")
    for tool in ("ip", "ss", "ethtool", "iperf3", "ping"):
        if shutil.which(tool) is None:
            sys.exit(f"net.py: {tool} is missing")
    if not set(args.ways or ()) <= WAYS:
        sys.exit(f"net.py: --ways is one of {', '.join(sorted(WAYS))}")
    for cc in ("bbr", "cubic"):
        if cc not in congestion_controls():
            run("modprobe", f"tcp_{cc}", check=False)
        if cc not in congestion_controls():
            sys.exit(f"net.py: this kernel has no {cc}, tcp_{cc}")
    return args


def congestion_controls():
    return (read("/proc/sys/net/ipv4/tcp_available_congestion_control") or ""
            ).split()


def only_one():
    """Two at once would measure each other.  The lock ends with us."""
    lock = open("/run/tund-bench.lock", "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("net.py: another run is under way; wait for its end")
    return lock


def interrupted(signum, frame):
    raise KeyboardInterrupt


def main():
    args = check(options())
    lock = only_one()
    # also where a shell has it ignored for its background jobs
    for signo in ENDING:
        signal.signal(signo, interrupted)
    net = Namespaces()
    bench = Bench(args, net)
    extra = {}
    folder = tempfile.mkdtemp(prefix="tund-bench.")
    try:
        net.create()
        for wanted, part in ((not args.no_main, main_part),
                             (args.peers, peers_part),
                             (args.queues, queues_part)):
            if wanted:
                extra |= attempt(bench, part, folder)
    except KeyboardInterrupt:
        bench.failed.append("interrupted")
    finally:
        # to the end, however often Ctrl-C is pressed
        for signo in ENDING:
            signal.signal(signo, signal.SIG_IGN)
        net.destroy()
        shutil.rmtree(folder, ignore_errors=True)
    if not bench.samples and not bench.failed:
        sys.exit("net.py: nothing was measured: no measure has such a name")
    if args.micro:
        extra["micro"] = json.loads(read(args.micro) or "{}").get("micro")
    table(bench)
    judged = goals.judge(bench.samples, bench.cpu, extra)
    goals.show(judged)
    for line in bench.failed:
        print(f"failed: {line}")
    print(f"\nrepeated because something else used the machine: "
          f"{bench.repeated}; kept although disturbed: {disturbed(bench)}")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(as_json(bench, extra, judged), f, indent=1)
    lock.close()
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
