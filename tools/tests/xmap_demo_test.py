#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""make demo: does all that it shows still happen, as it says?

Prints TAP.  The demo is run once, in the virtual machine; each test looks at another part of what
it has printed.  It checks its own steps as well, so its exit status says most of it.
"""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
DEMO = os.path.join(HERE, "..", "..", "tools", "demo", "demo")


def ends_well(status, out):
    assert status == 0 and out.endswith("\nAll of it happened as it should.\n"), f"status {status}"


def tells_every_step(_, out):
    """As many steps as the sources have, and no other."""
    steps = 0
    for name in ("demo", "consent.py"):
        with open(os.path.join(os.path.dirname(DEMO), name), encoding="utf-8") as file:
            steps += len(re.findall(r"^ +step\(", file.read(), re.M))
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", out, re.M)]
    assert steps > 10 and numbers == list(range(1, steps + 1)), (steps, numbers)
    assert re.findall(r"^ACT (?:ONE|TWO): ", out, re.M) == ["ACT ONE: ", "ACT TWO: "]


def shows_act_one(_, out):
    for line in (r"   # xmap check\n",
                 r"   # xmap write tickets 0x[0-9a-f]+ --string 'Closed for lunch' --nul --verify\n",
                 r"     sign +Closed for lunch ",
                 r"     xmap: no right to process \d+: it belongs to user 1, you are 65534",
                 r"     VmPin:\t +0 kB\n",
                 r"     pages of the ledger in memory: 0, in swap: 64\n",
                 r"     looked [1-9]\d* times since step 2: never stopped, no tracer\n",
                 r"     xmap: process \d+ ended"):
        assert re.search("^" + line, out, re.M), line


def shows_act_two(_, out):
    for line in (r"     offered 4096 bytes to read as @0x[0-9a-f]+ or @prices, serial \d+\n",
                 r"     bread 3, milk 1, cheese 9\n",
                 r"     accepted by process \d+ \(xmap\) of user 65534: 4096 bytes to read, serial",
                 r"     helper: what is behind them: Permission denied\n",
                 r"     removed the name counter",
                 r"     parent: sent them, and looks: Operation not permitted\n",
                 r"     revoked: nobody else reaches it any more\n"):
        assert re.search("^" + line, out, re.M), line


def leaves_nothing(_, __):
    with open("/proc/swaps", encoding="ascii") as file:
        assert len(file.readlines()) == 1
    with open("/sys/module/xmap/refcnt", encoding="ascii") as file:
        assert int(file.read()) == 0


TESTS = (ends_well, tells_every_step, shows_act_one, shows_act_two, leaves_nothing)


def main():
    print(f"TAP version 13\n1..{len(TESTS)}", flush=True)
    done = subprocess.run([DEMO], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
                          stderr=subprocess.STDOUT, text=True)
    for line in done.stdout.splitlines():
        print("# " + line)
    good = True
    for number, test in enumerate(TESTS, 1):
        try:
            test(done.returncode, done.stdout)
            print(f"ok {number} {test.__name__}", flush=True)
        except (AssertionError, OSError) as error:
            print(f"# {error!r}\nnot ok {number} {test.__name__}", flush=True)
            good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
