#!/usr/bin/env python3
"""The tables of BENCHMARKS.md, in Markdown, from the bench.json of a run."""

import json
import sys
from types import SimpleNamespace

import goals

DIGITS = {"Gbit/s": 2, "kpps": 0, "ms": 3}
NEAR = [("veth", "bare veth"), ("vxlan", "VXLAN in the kernel"),
        ("tund", "tund"), ("tund pinned", "tund, `cpus 0`")]
FOREIGN = [(name, name) for name in goals.FOREIGN]
EVERY = [("tund", "tund"), ("tund pinned", "tund, `cpus 0`"),
         ("tund rr", "tund, `sched-policy rr`"), *FOREIGN]
INNER = [("tund", "IPv4 in IPv4"), ("tund 6 in 4", "IPv6 in IPv4"),
         ("tund 4 in 6", "IPv4 in IPv6"), ("tund 6 in 6", "IPv6 in IPv6")]
QUEUES = [("1 queue", "1 queue"), ("2 queues", "2 queues")]


def cell(entry, name):
    """Median, least and most; the daemons' CPU in s/GB."""
    if entry is None:
        return "–"
    digits = 2 if "p99" in name else DIGITS[entry["unit"]]
    text = "{:.{d}f} ({:.{d}f} to {:.{d}f})".format(
        entry["median"], entry["min"], entry["max"], d=digits)
    if "cpu_s_per_gb" in entry:
        text += f"; {entry['cpu_s_per_gb']['median']:.2f}"
    return text


def row(cells):
    print(f"| {' | '.join(cells)} |")


def table(measures, ways, first, wanted, title=lambda name: name):
    """Of the measures that are wanted a row, of the ways a column."""
    rows = {name: found for name, found in measures.items()
            if wanted(name, found)}
    if not rows:
        return
    row([first, *(label for _, label in ways)])
    print("|---" * (len(ways) + 1) + "|")
    for name, found in rows.items():
        unit = next(iter(found.values()))["unit"]
        row([f"{title(name)}, {unit}",
             *(cell(found.get(way), name) for way, _ in ways)])
    print()


def peers(results):
    """Ways are rows here: each is a number of peers, flows, prefixes."""
    small, runs = "udp 64 B", "udp 1200 B in runs"
    row(["peers, flows", "UDP 64 B, kpps", "UDP 1,200 B in runs, Gbit/s"])
    print("|---|---|---|")
    for mode, more in (("peers", ""), ("prefixes", "1 peer, 4096 flows, ")):
        for way, entry in results[mode][small].items():
            label = more + way.replace("1 peers", "1 peer").replace(
                "1 prefixes", "1 prefix")
            row([label.replace("1 flows", "1 flow"), cell(entry, small),
                 cell(results[mode][runs].get(way), runs)])
    print()


def inner(name, _):
    return name.startswith("ip versions")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: tables.py bench.json")
    with open(sys.argv[1], encoding="utf-8") as f:
        found = json.load(f)
    results = found["results"]
    on, off = results.get("offloads on", {}), results.get("offloads off", {})
    table(on, NEAR, "veth's offloads on", lambda _, ways: "veth" in ways)
    table(on, EVERY, " ", lambda _, ways: {"tund rr", "vtun"} & set(ways))
    table(off, NEAR + FOREIGN, "veth's offloads off", lambda *_: True)
    table(on, INNER, "inner in outer", inner,
          lambda name: name.removeprefix("ip versions, "))
    if {"peers", "prefixes"} <= set(results):
        peers(results)
    table(results.get("queues", {}), QUEUES, " ", lambda *_: True)
    print("```", end="")
    goals.show(SimpleNamespace(results=found["goals"],
                               unjudged=found["unjudged"]))
    print("```")


main()
