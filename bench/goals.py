"""The ratios to reach, each from medians over interleaved rounds."""

import statistics

ON, OFF = "offloads on", "offloads off"
FOREIGN = ("vtun", "openvpn", "fastd")
RSS_MAX_KIB = 16 * 1024
# Gbit/s: VXLAN and the bare veth alike in the figures behind the goal
OFFERED = 24
UDP_OFFERED = f"udp 1200 B in runs, {OFFERED} Gbit/s offered"


def unit(name):
    if "ping" in name:
        return "ms"
    return "kpps" if "64 B" in name else "Gbit/s"


class Judge:
    def __init__(self, samples, cpu):
        self.samples = samples
        self.cpu = cpu
        self.results = []
        self.unjudged = 0

    def median(self, mode, name, way):
        values = self.samples.get((mode, name, way))
        return statistics.median(values.values()) if values else None

    def best(self, mode, name, pick):
        """Of the foreign ones."""
        found = [m for m in (self.median(mode, name, w) for w in FOREIGN)
                 if m is not None]
        return pick(found) if found else None

    def add(self, what, value, goal, at_least=True, spread=None):
        """One without numbers cannot be judged, and is counted as that."""
        if value is None:
            self.unjudged += 1
            return
        self.results.append({
            "what": what, "value": round(value, 4), "goal": goal,
            "sense": ">=" if at_least else "<=",
            "pass": value >= goal if at_least else value <= goal,
            **({"min": round(spread[0], 4), "max": round(spread[1], 4)}
               if spread else {})})

    def ratio(self, what, mode, over, under, goal):
        """over and under: (measure, way); of each round, then the median."""
        a = self.samples.get((mode, *over), {})
        b = self.samples.get((mode, *under), {})
        each = [a[n] / b[n] for n in a if b.get(n)]
        self.add(what, statistics.median(each) if each else None, goal,
                 spread=(min(each), max(each)) if each else None)

    def to_best(self, what, mode, over, goal, pick=max):
        """over: (measure, way); to the best of the foreign ones."""
        mine = self.median(mode, *over)
        best = self.best(mode, over[0], pick)
        known = mine is not None and best is not None
        self.add(what, mine / best if known else None, goal, pick is max)


def throughput(j, mine="tund"):
    label = mine.removeprefix("tund")
    for way in ("a-b", "b-a"):
        for cc, beside, goal in (("bbr", "vxlan", 0.70),
                                 ("cubic", "veth", 0.75)):
            name = f"tcp {cc} 1 stream {way}"
            j.ratio(f"{name}{label}: to {beside}", ON, (name, mine),
                    (name, beside), goal)
        for cc in ("bbr", "cubic"):
            j.ratio(f"tcp {cc} 4 streams {way}{label}: to vxlan's one", ON,
                    (f"tcp {cc} 4 streams {way}", mine),
                    (f"tcp {cc} 1 stream {way}", "vxlan"), 0.65)
    for name, goal in (("udp 64 B", 1.5), ("udp 1200 B in runs", 0.5),
                       (UDP_OFFERED, 0.5)):
        j.ratio(f"{name}{label}: to vxlan", ON, (name, mine),
                (name, "vxlan"), goal)


def against_others(j, mine="tund"):
    label = mine.removeprefix("tund")
    for cc in ("bbr", "cubic"):
        name = f"tcp {cc} 1 stream a-b"
        j.to_best(f"{name}{label}: to the best of others", ON, (name, mine), 6)
        j.to_best(f"{name}{label}: to the best of others, offloads off", OFF,
                  (name, mine), 2.5)
    j.to_best(f"udp 64 B{label}: to the best of others", ON,
              ("udp 64 B", mine), 3.5)
    j.to_best(f"ping idle{label}: to the fastest of others", ON,
              ("ping idle", mine), 1.0, min)


def latency(j):
    for way in ("tund", "tund rr", "tund pinned"):
        for cc in ("bbr", "cubic"):
            j.add(f"ping p99 under tcp {cc}, {way}, ms",
                  j.median(ON, f"ping p99 under tcp {cc}", way), 2, False)


def cost(j, mine="tund"):
    label = mine.removeprefix("tund")
    for cc in ("bbr", "cubic"):
        spent = j.cpu.get((ON, f"tcp {cc} 1 stream a-b", mine))
        j.add(f"daemons' CPU, tcp {cc} 1 stream{label}, s/GB",
              statistics.median(spent) if spent else None, 0.75, False,
              (min(spent), max(spent)) if spent else None)


def memory(j, extra):
    rss = extra.get("worker_rss_kib") or []
    j.add("the worker's memory, KiB", max(rss, default=None), RSS_MAX_KIB,
          False)
    j.add("its growth after the first round, KiB",
          rss[-1] - rss[1] if len(rss) > 2 else None, 0, False)


def versions(j):
    for name in ("ip versions, tcp bbr", "ip versions, tcp cubic",
                 "ip versions, udp 64 B"):
        for way in ("tund 6 in 4", "tund 4 in 6", "tund 6 in 6"):
            j.ratio(f"{name}: {way} to 4 in 4", ON, (name, way),
                    (name, "tund"), 0.9)


def scaling(j):
    for name in ("udp 64 B", "udp 1200 B in runs"):
        for flows in (128, 4096):
            for count in (8, 64):
                j.ratio(f"{count} peers to 1, {flows} flows, {name}", "peers",
                        (name, f"{count} peers, {flows} flows"),
                        (name, f"1 peers, {flows} flows"), 0.85)
        j.ratio(f"10000 prefixes to 1, {name}", "prefixes",
                (name, "10000 prefixes"), (name, "1 prefixes"), 0.95)


def queues(j):
    for cc in ("bbr", "cubic"):
        name = f"tcp {cc} 8 streams"
        j.ratio(f"2 queues to 1, {name}, generators beside", "queues",
                (name, "2 queues"), (name, "1 queue"), 1.0)
    j.ratio("2 queues to 1, egress alone", "queues",
            ("egress alone", "2 queues"), ("egress alone", "1 queue"), 1.5)


def judge(samples, cpu, extra):
    j = Judge(samples, cpu)
    for mine in ("tund", "tund pinned"):
        throughput(j, mine)
        against_others(j, mine)
        cost(j, mine)
    latency(j)
    memory(j, extra)
    versions(j)
    scaling(j)
    queues(j)
    micro = extra.get("micro") or []
    for row in micro:
        if "goal" in row:
            j.add(f"{row['name']}: to memcpy", row["ratio"]["median"],
                  row["goal"], False,
                  (row["ratio"]["p10"], row["ratio"]["p90"]))
    return j


def show(j):
    results = j.results
    print(f"\n{'goals':58} {'value':>9}  {'goal':>8}")
    for r in results:
        spread = f"({r['min']:.3f}..{r['max']:.3f})" if "min" in r else ""
        print(f"{r['what']:58} {r['value']:9.3f}  {r['sense']} {r['goal']:<6}"
              f"{'pass' if r['pass'] else 'FAIL'} {spread}")
    missed = sum(not r["pass"] for r in results)
    print(f"{len(results) - missed} of {len(results)} goals reached, "
          f"{j.unjudged} not judged for want of numbers")
