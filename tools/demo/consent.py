# SPDX-License-Identifier: LGPL-2.1-or-later
"""Act two of the demo: sharing by consent.

Three users who trust each other in nothing: the owner offers a page, a stranger
accepts it and lets a helper see 8 bytes of that, and all lose it when the owner
says so.  In between, memory that belongs to no process: found by its name, and moved
from one owner to the next.  What comes next in this act goes into a step of its own, before the last.
"""

import json
import os
import re
import select
import signal
import subprocess
import time

from stage import (OWNER, PATIENCE, STRANGER, Watch, as_user, bold, require, say, shell, step,
                   undo)

# Windows show whole pages, so a whole one is offered.
PRICES, PAGE = "bread 3, milk 1, cheese 9", 4096


class Shop:
    """xmap share, run by the owner; every line that it prints is shown."""

    def __init__(self, path):
        command = f"xmap -q share --name prices --mode 644 {path}"
        print(f"   {OWNER.pw_name}$ {bold(command + ' &')}", flush=True)
        self.proc = subprocess.Popen(command.split(), stdout=subprocess.PIPE, cwd="/",
                                     stderr=subprocess.STDOUT, **as_user(OWNER))
        undo.append(self.proc.kill)
        self.text = b""
        self.serial = int(self.wait_for(r"serial (\d+)$"))

    def wait_for(self, pattern):
        """What the parentheses match in the first line that matches."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            line, newline, rest = self.text.partition(b"\n")
            if newline:
                self.text = rest
                say("  " + line.decode())
                match = re.search(pattern, line.decode())
                if match:
                    return match[1]
            elif select.select([self.proc.stdout], [], [], 1)[0]:
                more = os.read(self.proc.stdout.fileno(), 4096)
                require(more, "the owner's program ended")
                self.text += more
        raise AssertionError(f"it did not say {pattern} in {PATIENCE} s")

    def interrupt(self):
        print(f"   {OWNER.pw_name}$ {bold(f'kill -INT {self.proc.pid}')}", flush=True)
        self.proc.send_signal(signal.SIGINT)
        self.wait_for("^(revoked)")
        require(self.proc.wait(PATIENCE) == 0, "the owner's program failed")


def offer(directory):
    path = os.path.join(directory, "prices")
    with open(path, "w", encoding="ascii") as file:
        file.write(PRICES.ljust(PAGE, "\0"))
    os.chmod(path, 0o644)
    return Shop(path)


def read(status=0):
    return shell("xmap read @prices --type str", STRANGER, status)


def accept(shop):
    say(f"{STRANGER.pw_name} has no right to look into that process:")
    out = shell(f"xmap maps {shop.proc.pid}", STRANGER, status=4)
    require("no right to process" in out, "not the message expected")
    say("... and needs none for what is offered:")
    require(read() == PRICES + "\n", "that is something else")
    shop.wait_for("^(accepted)")
    out = shell(f"xmap read @prices export+{PAGE} 1", STRANGER, status=5)
    require("is not in export" in out, "the byte behind it can be read")
    out = shell("xmap write @prices export --string beer", STRANGER, status=4)
    require("for reading only" in out, "not the message expected")


def hold(shop):
    """A reader who stays.  Returns it, and the number of its target."""
    watch = Watch("@prices --type str --interval 3600", STRANGER)
    require(PRICES in watch.line(), "that is something else")
    serial = int(shop.wait_for(rf"^accepted by process {watch.proc.pid} .* serial (\d+)$"))
    out = shell("xmap ps")
    require(re.search(rf"^ *{serial} +{shop.serial} target +{watch.proc.pid} ", out, re.M),
            "the tree is another")
    require(re.search(rf"^ *{watch.proc.pid} xmap .* 1 +1 +4K ", shell("xmap top --once"), re.M),
            "no window")
    return watch, serial


def narrow(shop):
    say(f"{STRANGER.pw_name} has accepted all of it, and gives 8 bytes to a helper, for a while:")
    out = shell("narrow prices", STRANGER)
    require("helper: its 8 bytes: " in out and
            "helper: what is behind them: Permission denied" in out and
            "helper: its 8 bytes, revoked: Stale file handle" in out, "the helper can do more")
    shop.wait_for("^(accepted)")


def find_by_name():
    out = shell("xmap region create --persistent --mode 644 counter 64K", OWNER)
    serial = int(re.search(r"serial (\d+)", out)[1])
    say("That program has ended.  What it has made is still there, to be found by all:")
    out = shell("xmap region show counter", STRANGER)
    require(re.search(rf"^serial +{serial}$", out, re.M) and "65536 bytes" in out,
            "that is another one")
    out = shell("xmap region rm counter", STRANGER, status=4)
    require("no right to remove" in out, "not the message expected")
    shell("xmap region rm counter", OWNER)
    require("no region" in shell("xmap region show counter", STRANGER, status=3),
            "it is still there")


def move():
    say("16 MiB go to another process and come back, with two short messages, as they are:")
    out = shell("move", STRANGER)
    require(re.fullmatch(r"parent: wrote 16777216 bytes: Dear child,\.\.\.\n"
                         r"parent: sent them, and looks: Operation not permitted\n"
                         r"child: +received 16777216 bytes: Dear child,\.\.\.\n"
                         r"parent: has them back: Dear parent\.\.\.\n", out),
            "they did not move like that")


def revoke_one(shop, watch, serial):
    say("The administrator takes it from the reader who stayed, and from nobody else:")
    shell(f"xmap revoke {serial}")
    require("it was revoked" in watch.end(7), "not the message expected")
    require(read() == PRICES + "\n", "others have lost it too")
    shop.wait_for("^(accepted)")


def revoke_all(shop):
    watch, _ = hold(shop)
    say("The owner takes it from all, by ending:")
    shop.interrupt()
    require("it was revoked" in watch.end(7), "not the message expected")
    out = read(status=3)
    require("no export @prices" in out, "not the message expected")
    require(not json.loads(shell("xmap ps --json"))["entries"], "something is left")


def act(directory):
    step(f"A program of {OWNER.pw_name} offers a page of its own memory")
    shop = offer(directory)

    step("Who accepts gets exactly that")
    accept(shop)

    step("The owner sees who has it")
    watch, serial = hold(shop)

    step("It can be passed on narrower, never wider")
    narrow(shop)

    step("Memory that belongs to no program is found by its name")
    find_by_name()

    step("Memory moves: who gives it away does not reach it any more")
    move()

    step("One of them loses it")
    revoke_one(shop, watch, serial)

    step("All of them lose it, at once")
    revoke_all(shop)
