# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the acts of the demo share: saying, doing, checking."""

import os
import pwd
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
BUILD = os.environ.get("O", os.path.join(HERE, "..", "..", "build"))
OWNER, STRANGER = pwd.getpwnam("daemon"), pwd.getpwnam("nobody")
PATIENCE = 60

TTY = sys.stdout.isatty()
undo = []


def bold(text):
    return f"\033[1m{text}\033[0m" if TTY else text


def step(text):
    step.number += 1
    print("\n" + bold(f"{step.number}. {text}"), flush=True)


step.number = 0


def say(text):
    print(f"   {text}", flush=True)


def require(condition, what):
    if not condition:
        raise AssertionError(what)


def as_user(who):
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []} if who else {}


def shell(command, who=None, status=0):
    """Show a command and its output as in a terminal, and check its exit status."""
    print(f"   {who.pw_name + '$' if who else '#'} {bold(command)}", flush=True)
    done = subprocess.run(command, shell=True, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, cwd="/", **as_user(who))
    for line in done.stdout.splitlines():
        say("  " + line)
    require(done.returncode == status, f"exit status {done.returncode} instead of {status}")
    return done.stdout


class Watch:
    """xmap watch in the background, which holds a window."""

    def __init__(self, args, who=None):
        command = f"xmap watch {args}"
        print(f"   {who.pw_name + '$' if who else '#'} {bold(command + ' &')}", flush=True)
        self.proc = subprocess.Popen(command.split(), stdout=subprocess.PIPE, cwd="/",
                                     stderr=subprocess.PIPE, text=True, **as_user(who))
        undo.append(self.proc.kill)

    def line(self):
        line = self.proc.stdout.readline().rstrip("\n")
        say("  " + line)
        return line

    def end(self, status):
        """What it says last."""
        _, err = self.proc.communicate(timeout=PATIENCE)
        say("  " + err.strip())
        require(self.proc.returncode == status, f"exit status {self.proc.returncode}")
        return err
