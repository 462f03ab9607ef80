"""Test functions as TAP: a function's name is what it claims."""

import os
import sys
import time
import traceback

CASES = []


def case(function):
    CASES.append(function)
    return function


def until(what, seconds=5):
    """Waits for a condition."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def main():
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root")
        return
    print(f"1..{len(CASES)}", flush=True)
    failed = 0
    for number, function in enumerate(CASES, 1):
        name = function.__name__.replace("_", " ")
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
    sys.exit(1 if failed else 0)
