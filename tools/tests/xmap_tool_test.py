#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The xmap command: every subcommand, exit status and kind of bad input.

Prints TAP.  Runs with and without the module: the plan has what can be tested
there, and each test is planned in at least one of the two places.  What needs
root or a kernel feature that is not there is skipped with the reason.
"""

import contextlib
import json
import math
import os
import pty
import re
import resource
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import traceback

HERE = os.path.dirname(os.path.realpath(__file__))
TOOLS = os.path.join(HERE, "..", "tools")
SOURCES = os.path.join(HERE, "..", "..", "tools")
NOBODY = 65534
YAMA = "/proc/sys/kernel/yama/ptrace_scope"

# The virtual machine has the module: if the device is missing there, that is a failure.
HAVE_MODULE = "XMAP_MODULE" in os.environ or os.path.exists("/dev/xmap")
ROOT = os.geteuid() == 0
BACKENDS = (["module"] if HAVE_MODULE else []) + ["syscalls"]

OK, FAIL, USAGE, PROCESS, DENIED, MEMORY, MODULE, ENDED, VERIFY = range(9)


class Skip(Exception):
    """What the test needs is not there."""


def need(condition, reason):
    if not condition:
        raise Skip(reason)


# User nobody may not be able to look into the build directory.
work = tempfile.mkdtemp(prefix="xmap_tool_test.")
os.chmod(work, 0o755)
XMAP = shutil.copy(os.path.join(TOOLS, "xmap"), work)
VICTIM = shutil.copy(os.path.join(TOOLS, "tests", "victim"), work)


def as_user(uid):
    return {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}


def check_stderr(err, status):
    lines = err.decode(errors="replace").splitlines()
    assert len(lines) <= 1 or status == OK, f"more than one line: {lines}"
    assert all(line.startswith("xmap: ") for line in lines), lines


def xmap(*args, status=OK, err=None, uid=None, stdin=None, **kwargs):
    """Run the command; its exit status and its one line of error must be as told."""
    done = subprocess.run([XMAP, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          input=stdin, check=False, **as_user(uid), **kwargs)
    assert done.returncode == status, f"{args}: status {done.returncode}: {done.stderr}"
    check_stderr(done.stderr, status)
    if err is not None:
        assert re.search(err, done.stderr.decode()), f"{args}: {done.stderr}"
    elif status == OK:
        assert not done.stderr, f"{args}: {done.stderr}"
    return done.stdout


class Victim:
    def __init__(self, *args, uid=None):
        self.proc = subprocess.Popen([VICTIM, *args], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, **as_user(uid))
        self.at = json.loads(self.proc.stdout.readline())
        self.pid = self.at["pid"]

    def __getattr__(self, name):
        return self.__dict__["at"][name]

    def tell(self, line):
        self.proc.stdin.write(line.encode() + b"\n")
        self.proc.stdin.flush()
        return self.proc.stdout.readline()

    def end(self):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdin.close()
        self.proc.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.end()


tests = []


def test(func):
    tests.append((func.__name__, func, ()))
    return func


def test_with_module(func):
    return test(func) if HAVE_MODULE else func


def test_without_module(func):
    return func if HAVE_MODULE else test(func)


def test_each_backend(func):
    for backend in BACKENDS:
        tests.append((f"{func.__name__}.{backend}", func, (backend,)))
    return func


# ---- Use ----

@test
def help_and_version():
    text = xmap("--help").decode()
    commands = ("check", "maps", "read", "write", "watch", "ps", "top", "share", "revoke",
                "region")
    for word in commands + ("Exit status",):
        assert word in text
    assert text == xmap("help").decode()
    for cmd in commands:
        text = xmap(cmd, "--help").decode()
        assert text.startswith(f"Usage: xmap {cmd} ") and "Exit status" in text
        assert text == xmap("help", cmd).decode() == xmap("-h", cmd).decode()
        # A dash and a digit begin a number, not an option.
        assert re.findall(r"^  -([^,]), --", text, re.M) and not re.search(r"^  -\d", text, re.M)
    assert re.match(r"xmap \d+\.\d+\.\d+ \(libxmap \S+, interface 1\)\n$", xmap("-V").decode())


def options_of(text):
    """What --help lists: a set of (letter or "", name, takes an argument)."""
    listed = re.findall(r"^  (?:-(.), |    )--([a-z-]+)(=?)", text.split("\nOptions")[1], re.M)
    assert len(listed) == len(set(listed)) >= 3, listed
    return {(letter, name, bool(equals)) for letter, name, equals in listed}


def all_options():
    """Of each command; with "" those that stand before one."""
    text = xmap("--help").decode()
    commands = re.findall(r"^  ([a-z]+) ", text.split("\nCommands")[1].split("\n\n")[0], re.M)
    return {cmd: options_of(xmap(*cmd.split(), "--help").decode()) for cmd in ["", *commands]}


def manual(section):
    with open(os.path.join(SOURCES, "xmap.1"), encoding="utf-8") as file:
        text = file.read().replace("\\-", "-")
    return text.split(f"\n.Sh {section}\n")[1].split("\n.Sh ")[0]


@test
def options_in_the_manual():
    options = all_options()
    before = options.pop("")
    listed = set()
    for item in re.findall(r"^\.It (Fl .*)$", manual("OPTIONS"), re.M):
        found = re.fullmatch(r"(?:Fl (\w) , )?Fl -([a-z-]+)(?:( Ns = Ns)? Ar \w+)?", item)
        assert found, item
        option = (found[1] or "", found[2], " Ar " in item)
        assert option not in listed, f"twice: {item}"
        listed.add(option)
    assert listed == before.union(*options.values()), listed ^ before.union(*options.values())

    shown = {cmd: set() for cmd in options}
    shown["help"] = set()
    for block in manual("SYNOPSIS").split(".Nm\n")[1:]:
        # `Fl` reaches behind a bar; alone it is standard input.
        names = re.findall(r"(?:Fl -?|\| -)([\w-]+)", block)
        shown[re.match(r"\.Cm ([a-z]+)", block)[1]] |= set(names)
    assert not shown.pop("help")
    for cmd, names in shown.items():
        own = options[cmd] - before
        assert names <= {name for option in own for name in option[:2]}, (cmd, names)
        missing = [option for option in own if not names & set(option[:2])]
        assert not missing, (cmd, missing)


def completed(lines):
    """What bash offers in the place of the last word of each command line."""
    script = f"""
source {shlex.quote(os.path.join(SOURCES, "completion", "xmap"))}
compopt() {{ :; }}
_xmap_processes() {{ echo PROCESS; }}
_xmap_names() {{ echo NAME; }}
_xmap_serials() {{ echo SERIAL; }}
offer() {{ COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=(); _xmap; echo "${{COMPREPLY[*]}}"; }}
""" + "\n".join("offer xmap " + shlex.join(words) for words in lines)
    done = subprocess.run(["bash", "-u", "-c", script], capture_output=True, cwd=work, check=True)
    assert not done.stderr, done.stderr
    replies = done.stdout.decode().splitlines()
    assert len(replies) == len(lines)
    return [reply.split() for reply in replies]


@test
def options_are_completed():
    options = all_options()
    lines = [[*cmd.split(), "--"] for cmd in options]
    for cmd, offered in zip(options, completed(lines)):
        want = sorted("--" + name + "=" * argument for _, name, argument in options[cmd])
        assert sorted(offered) == want, (cmd, offered)
    del options[""]
    assert completed([[""], ["help", ""]]) == [[*options, "help"]] * 2

    # Which options take an argument: the one after it is what comes without any option.
    plain = dict(zip(options, completed([[cmd, ""] for cmd in options])))
    assert plain["read"] == ["PROCESS"] and plain["revoke"] == ["SERIAL"]
    lines = []
    for cmd, known in options.items():
        for letter, name, argument in known:
            for word in ["--" + name, *(["-" + letter] if letter else [])]:
                lines.append([cmd, word, *["x"] * argument, ""])
            if argument:
                lines.append([cmd, "--" + name, "=", "x", ""])
    for line, offered in zip(lines, completed(lines)):
        assert offered == plain[line[0]], (line, offered)
    # ... and nothing of that where the argument itself has to stand.
    lines = [line[:-1] for line in lines if "x" in line and plain[line[0]]]
    for line, offered in zip(lines, completed([[*line[:-1], ""] for line in lines])):
        assert offered != plain[line[0]], (line, offered)


@test
def wrong_use():
    pid = os.getpid()
    done = subprocess.run([XMAP], capture_output=True, check=False)
    assert done.returncode == USAGE and done.stderr.startswith(b"Usage: xmap")
    for args, err in (
            (["frob"], "no command `frob`"),
            (["maps"], "too few arguments"),
            (["maps", pid, "1"], "too many arguments"),
            (["check", "1"], "too many arguments"),
            (["maps", "--frob", pid], "unknown option `--frob`"),
            (["maps", "-Z", pid], "unknown option `-Z`"),
            (["maps", "--json=1", pid], "takes no argument"),
            (["read", pid, "0", "--type"], "needs an argument"),
            (["maps", pid, "--backend=frob"], "no backend `frob`"),
            (["maps", ""], "the process is empty"),
            (["maps", "99999999999999999999"], "too large"),
            (["read", pid, ""], "lacks a number"),
            (["read", pid, "1+"], "lacks a number"),
            (["read", pid, "0x10000000000000000"], "too large"),
            (["read", pid, "0", "0"], "length must be 1 or more"),
            (["read", pid, "0", "12Q"], "is not a size"),
            (["read", pid, "0", "99999999999T"], "too large"),
            (["read", pid, "0", "-5"], "is not a size"),
            (["read", pid, "0xfffffffffffffff0", "17"], "wraps around"),
            (["read", pid, "0", "-t", "u7"], "no type `u7`"),
            (["read", pid, "0", "7", "-t", "u32"], "not a multiple of the 4 bytes"),
            (["read", pid, "0", "8", "-t", "u32", "-n", "2"], "not both"),
            (["read", pid, "0", "-n", "2"], "--type too"),
            (["read", pid, "0", "-t", "u64", "-n", "4000000000G"], "too large"),
            (["read", pid, "0", "-t", "u8", "--raw"], "goes with neither"),
            (["read", pid, "0", "--json", "--raw"], "goes with neither"),
            (["read", pid, "0", "1M", "-t", "str"], "too large for a text"),
            (["write", pid, "0"], "give one of"),
            (["write", pid, "0", "1", "--hex", "00", "-t", "u8"], "give one of"),
            (["write", pid, "0", "1"], "give the --type"),
            (["write", pid, "0", "--hex", "00", "-t", "u8"], "--type goes with values"),
            (["write", pid, "0", "--hex", "0"], "not a row of bytes"),
            (["write", pid, "0", "--hex", "zz"], "not a row of bytes"),
            (["write", pid, "0", "--hex", " "], "holds no bytes"),
            (["write", pid, "0", "--string", ""], "holds no bytes"),
            (["write", pid, "0", "--nul", "--hex", "00"], "--nul goes with --string"),
            (["write", pid, "0", "256", "-t", "u8"], "does not fit u8"),
            (["write", pid, "0", "1x", "-t", "u8"], "is not a number"),
            (["write", pid, "0", "x", "-t", "str"], "--string"),
            (["write", pid, "0xffffffffffffffff", "--hex", "0000"], "wraps around"),
            (["watch", pid, "0", "65K"], "too large to watch"),
            (["watch", pid, "0", "-i", "0"], "not a number of seconds"),
            (["watch", pid, "0", "-i", "nan"], "not a number of seconds"),
            (["watch", pid, "0", "-n", "x"], "is not a size"),
            (["watch", pid, "0", "3", "-t", "u16"], "not a multiple"),
            (["read", pid], "too few arguments"),
            (["maps", "@" + 80 * "x"], "up to 63 printable characters"),
            (["write", "@x", "export", "--force", "--hex", "00"], "nobody can offer that right"),
            (["top", "--once", "--count", "2"], "not both"),
            (["top", "-i", "0"], "not a number of seconds"),
            (["share"], "give one of"),
            (["share", "-", "--size", "1"], "give one of"),
            (["share", "-", "--mode", "777"], "mode `777` is not octal"),
            (["share", "-", "--mode", "0o6"], "mode `0o6` is not octal"),
            (["share", "-", "--mode", ""], "mode `` is not octal"),
            (["share", "-", "--name", ""], "name ``: up to 63 printable"),
            (["share", "-", "--name", "a b"], "name `a b`: up to 63 printable"),
            (["share", "-", "--name", "a/b"], "name `a/b`: up to 63 printable"),
            (["share", "-", "--name", 64 * "x"], "up to 63 printable"),
            (["share", "-", "--name", "0x1"], "with 0x begin ids"),
            (["share", "-", "--group", "no-such-group"], "no group `no-such-group`"),
            (["share", "-", "--group", "4294967295"], "group `4294967295` is not a number from"),
            (["share", "-", "--for-user", "no-such-user"], "no user `no-such-user`"),
            (["share", "-", "--for-user", "4294967295"], "user `4294967295` is not a number from"),
            (["share", "-", "--max", "0"], "--max `0` is not a number from 1"),
            (["share", "-", "--expires", "0"], "expiry `0` is not a number from 1"),
            (["share", "-", "--expires", "1s"], "expiry `1s` is not a number"),
            (["revoke"], "too few arguments"),
            (["revoke", "x"], "serial `x` is not a number"),
            (["revoke", "0"], "they begin at 1"),
            (["revoke", "1", "4096"], "needs a length"),
            (["revoke", "1", "x", "1"], "address `x` is not a number"),
            (["revoke", "1", "4096", "0"], "length must be 1 or more"),
            (["region"], "too few arguments"),
            (["region", "create", "a", "4K", "b"], "too many arguments"),
            (["region", "frob"], "no `region frob`: create, list, show or rm"),
            (["region", "create", "a"], "`region create` takes a name and a size"),
            (["region", "list", "a"], "`region list` takes nothing"),
            (["region", "show"], "`region show` takes a name"),
            (["region", "rm", "a", "b"], "`region rm` takes a name"),
            (["region", "rm", "a", "--persistent"], "`region rm` has no options but --json"),
            (["region", "list", "--mode", "600"], "`region list` has no options but --json"),
            (["region", "create", "", "4K"], "name ``: up to 63 printable"),
            (["region", "create", "a b", "4K"], "name `a b`: up to 63 printable"),
            (["region", "create", "a/b", "4K"], "name `a/b`: up to 63 printable"),
            (["region", "show", 64 * "x"], "up to 63 printable"),
            (["region", "rm", ""], "name ``: up to 63 printable"),
            (["region", "create", "a", "0"], "size must be 1 or more"),
            (["region", "create", "a", "-1"], "is not a size"),
            (["region", "create", "a", "4Q"], "is not a size"),
            (["region", "create", "a", "99999999999T"], "too large"),
            (["region", "create", "a", "4097"], "size `4097` is not a number of whole pages"),
            (["region", "create", "a", "4K", "--mode", "777"], "mode `777` is not octal"),
            (["region", "create", "a", "4K", "--group", "no-such"], "no group `no-such`"),
            (["region", "show", "a", "--huge"], "`region show` has no options but --json")):
        xmap("-q", *args, status=USAGE, err=err)


@test
def missing_file_to_write():
    xmap("-q", "write", os.getpid(), "0", "--file", work + "/absent", status=FAIL,
         err="cannot open .*absent: No such file")


@test
def output_that_fails():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([XMAP, "--help"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == FAIL and b"cannot write the output: No space" in done.stderr


# ---- Processes ----

@test
def no_such_process():
    child = subprocess.Popen(["/bin/true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    for cmd in (["maps"], ["read"], ["write"], ["watch"]):
        more = {"read": ["0"], "write": ["0", "--hex", "00"], "watch": ["0"]}.get(cmd[0], [])
        xmap("-q", *cmd, child.pid, *more, status=PROCESS, err=f"process {child.pid} has ended")
    child.wait()
    xmap("maps", child.pid, status=PROCESS, err=f"process {child.pid} does not exist")
    xmap("maps", "0", status=PROCESS, err="does not exist")
    xmap("maps", "2147483648", status=PROCESS, err="does not exist")
    xmap("maps", "no-such-name", status=PROCESS, err="no process is named `no-such-name`")


@test_each_backend
def kernel_thread(backend):
    with open("/proc/2/comm", encoding="ascii") as comm:
        need(comm.read() == "kthreadd\n", "no kernel threads in this pid namespace")
    xmap("-q", f"--backend={backend}", "maps", "2", status=PROCESS, err="is a kernel thread")


@test
def thread_is_no_process():
    with Victim() as victim:
        tid = max(map(int, os.listdir(f"/proc/{victim.pid}/task")))
        xmap("-q", "maps", tid, status=PROCESS, err=f"is a thread: use its process {victim.pid}")


@test
def names():
    with Victim("--name", "xmap one") as one, Victim("--name", "xmap two") as two:
        for victim, name in ((one, "xmap one"), (two, "xmap two")):
            maps = json.loads(xmap("-q", "maps", name, "--json"))
            assert maps["pid"] == victim.pid and maps["name"] == name
        err = rf"2 processes are named `victim`: .*({one.pid}, {two.pid}|{two.pid}, {one.pid})$"
        xmap("-q", "maps", "victim", status=PROCESS, err=err)


# ---- maps ----

@test_each_backend
def maps_are_those_of_proc(backend):
    with Victim() as victim:
        args = ["-q", f"--backend={backend}", "maps", victim.pid]
        got = json.loads(xmap(*args, "--json"))["mappings"]
        with open(f"/proc/{victim.pid}/maps", encoding="utf-8") as maps:
            lines = [line.split(None, 5) for line in maps if "[vsyscall]" not in line]
        got = [m for m in got if m["name"] != "[vsyscall]"]
        assert len(got) == len(lines)
        for m, line in zip(got, lines):
            assert f"{m['start']:x}-{m['end']:x}" == line[0].lstrip("0")
            mode = "".join(c if m[k] else "-" for c, k in zip("rwx", ("read", "write", "exec")))
            assert mode + ("s" if m["shared"] else "p") == line[1]
            assert m["name"] == (line[5].rstrip("\n") if len(line) > 5 else "")
            assert m["inode"] == int(line[4])
        table = xmap(*args).decode().splitlines()
        assert len(table) >= len(lines) + 1 and any("[stack]" in row for row in table)


@test_each_backend
def names_of_any_bytes(backend):
    path = os.fsencode(work) + b"/a \"q\"\\\n\x1b[31m\xff\xc3\xa9"
    with open(path, "wb") as file:
        file.write(bytes(4096))
    with Victim("--name", "x\"\\\x1b[1m", "--file", path) as victim:
        args = ["-q", f"--backend={backend}", "maps", victim.pid]
        maps = json.loads(xmap(*args, "--json"))
        assert maps["name"] == "x\"\\\x1b[1m"
        names_seen = [m["name"] for m in maps["mappings"] if m["start"] == victim.file]
        assert names_seen == [work + "/a \"q\"\\\n\x1b[31m\ufffd\u00e9"], names_seen
        table = xmap(*args)
        assert b"\x1b" not in table
        assert rb'/a "q"\\\x0a\x1b[31m\xff' + b"\xc3\xa9\n" in table


# ---- read ----

@test_each_backend
def read_types(backend):
    def values(kind, addr, *args):
        text = xmap("-q", f"--backend={backend}", "read", victim.pid, addr, "-t", kind, *args)
        doc = json.loads(xmap("-q", f"--backend={backend}", "read", victim.pid, addr, "--type",
                              kind, "--json", *args))
        assert doc["complete"] and doc["address"] == addr and doc["type"] == kind
        return text.decode().splitlines(), doc["values"]

    with Victim() as victim:
        assert values("u8", victim.u8, "-n", "2") == (["254", "7"], [254, 7])
        assert values("u8", victim.u8, "2") == (["254", "7"], [254, 7])
        assert values("i8", victim.u8) == (["-2"], [-2])
        assert values("i16", victim.i16) == (["-2"], [-2])
        assert values("u16", victim.i16) == (["65534"], [65534])
        assert values("i32", victim.i32) == (["-3000000"], [-3000000])
        assert values("u32", victim.u32) == (["4000000000"], [4000000000])
        assert values("i64", victim.i64) == ([str(-2**63)], [-2**63])
        assert values("u64", victim.u64) == ([str(2**64 - 1)], [2**64 - 1])
        assert values("f32", victim.f32) == (["1.5"], [1.5])
        text, got = values("f64", victim.f64, "-n", "3")
        assert got[0] == -0.1 and math.isinf(float(got[1])) and math.isnan(float(got[2]))
        assert text[1] == "inf" and text[2].endswith("nan")
        assert values("ptr", victim.ptr) == ([hex(victim.u8)], [victim.u8])
        text, got = values("str", victim.text, "-n", "2")
        assert text == ["say \"hi\"\\\\ \\x1b[31m\\xff caf\u00e9", "second"], text
        assert got == ["say \"hi\"\\ \x1b[31m\ufffd caf\u00e9", "second"], got
        assert values("str", victim.text, "3") == (["say"], ["say"])


@test_each_backend
def read_bytes(backend):
    args = ["-q", f"--backend={backend}", "read"]
    with Victim() as victim:
        victim.tell("fill")
        raw = xmap(*args, victim.pid, victim.big, "8M", "--raw")
        want = bytes((i * 7 + (i >> 8)) & 255 for i in range(1 << 16)) * 128
        assert raw == want
        doc = json.loads(xmap(*args, victim.pid, victim.big + 1, "300001", "--json"))
        assert bytes.fromhex(doc["hex"]) == want[1:300002] and doc["length"] == 300001
        dump = xmap(*args, victim.pid, victim.hole - 24, "24").decode().splitlines()
        assert len(dump) == 2 and dump[0].startswith(f"{victim.hole - 24:012x}  00 00 ")
        assert dump[1].endswith("74 68 65 20 65 6e 64 00" + " " * 27 + "|the end.|"), dump
        assert len(xmap(*args, victim.pid, victim.big).splitlines()) == 16


@test_each_backend
def read_in_bounded_memory(backend):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (5 << 20, 5 << 20))

    with Victim() as victim:
        raw = xmap("-q", f"--backend={backend}", "read", victim.pid, victim.big, "8M", "--raw",
                   preexec_fn=limit)
        assert len(raw) == 8 << 20


@test_each_backend
def read_what_is_not_there(backend):
    args = ["-q", f"--backend={backend}", "read"]
    with Victim() as victim:
        for addr in ("0", "4095", "0x7fffffffe000", "0x800000000000", "0xffff888000000000",
                     "0xfffffffffffff000", victim.hole):
            xmap(*args, victim.pid, addr, status=MEMORY,
                 err=rf"address 0x\w+ is not mapped; see `xmap maps {victim.pid}`")
        xmap(*args, victim.pid, victim.none, status=MEMORY, err="may not read address")
        # What there is before the end comes out, and the message tells where it ended.
        out = xmap(*args, victim.pid, victim.hole - 8, "1T", "--raw", status=MEMORY,
                   err=f"address {hex(victim.hole)} is not mapped")
        assert out == b"the end\0"
        out = xmap(*args, victim.pid, victim.hole - 8, "12", "--json", status=MEMORY)
        doc = json.loads(out)
        assert doc["hex"] == b"the end\0".hex() and not doc["complete"] and doc["length"] == 8
        out = xmap(*args, victim.pid, victim.hole - 8, "-t", "u64", "-n", "2", "--json",
                   status=MEMORY)
        assert len(json.loads(out)["values"]) == 1
        # A text that ends before its memory does is whole, one that does not is none.
        assert xmap(*args, victim.pid, victim.hole - 8, "-t", "str") == b"the end\n"
        xmap("-q", "write", victim.pid, victim.hole - 4, "--string", "open")
        assert xmap(*args, victim.pid, victim.hole - 4, "-t", "str", status=MEMORY) == b""
        xmap(*args, victim.pid, "nothing.so", status=MEMORY, err="is neither a number")
        xmap(*args, victim.pid, "7fzz", status=MEMORY, err="is neither a number")


@test_each_backend
def read_by_name(backend):
    args = ["-q", f"--backend={backend}", "read"]
    with Victim() as victim:
        def u64(addr):
            return int(xmap(*args, victim.pid, addr, "-t", "u64"))

        assert u64("exe:victim_counter") == 1000
        assert u64("victim:victim_counter") == 1000
        assert u64(VICTIM + ":victim_counter+8-8") == 1000
        assert u64(f"exe+{victim.counter}-exe") == 1000
        assert xmap(*args, victim.pid, "libc.so.6", "4", "--raw") == b"\x7fELF"
        assert len(xmap(*args, victim.pid, "[stack]", "8", "--raw")) == 8
        assert xmap(*args, victim.pid, "[vdso]", "4", "--raw") == b"\x7fELF"
        environ = u64("libc.so.6:environ")
        assert u64(environ) > 4096
        xmap(*args, victim.pid, "exe:no_such_symbol", status=MEMORY, err="has no symbol")
        xmap(*args, victim.pid, "libc.so.6:errno", status=MEMORY, err="thread-local|no symbol")
        xmap(*args, victim.pid, "[stack]:main", status=USAGE, err="is not a file")


@test
def symbols_of_broken_files():
    """A mapped file may be anything: an error at worst, never a crash."""
    with open("/bin/true", "rb") as file:
        good = bytearray(file.read())
    cases = {"empty.so": b"", "short.so": good[:40], "cut.so": good[:5000],
             "text.so": b"no ELF file" * 400}
    for name, at in (("phoff", 0x20), ("shoff", 0x28), ("phentsize", 0x36), ("phnum", 0x38),
                     ("shentsize", 0x3a), ("shnum", 0x3c)):
        cases[name + ".so"] = good[:at] + b"\xff\xff" + good[at + 2:]
    for name, data in cases.items():
        path = os.path.join(work, name)
        with open(path, "wb") as file:
            file.write(data)
        with Victim("--file", path) as victim:
            done = subprocess.run([XMAP, "-q", "read", str(victim.pid), f"{name}:no_such"],
                                  capture_output=True, check=False)
            assert done.returncode in (FAIL, MEMORY), (name, done)
            check_stderr(done.stderr, done.returncode)
            assert re.search(rb"is not a 64-bit ELF file|has no symbol `no_such`", done.stderr)


@test
def reader_that_goes_away():
    with Victim() as victim:
        proc = subprocess.Popen([XMAP, "-q", "read", str(victim.pid), str(victim.big), "8M",
                                 "--raw"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        proc.stdout.read(1)
        proc.stdout.close()
        err = proc.stderr.read()
        proc.stderr.close()
        assert proc.wait() == -signal.SIGPIPE and not err, (proc.returncode, err)


# ---- write ----

@test_each_backend
def write_values(backend):
    args = ["-q", f"--backend={backend}"]

    def raw(addr, length):
        return xmap(*args, "read", victim.pid, addr, str(length), "--raw")

    def write(addr, *more, **kwargs):
        return xmap(*args, "write", victim.pid, addr, *more, **kwargs)

    with Victim() as victim:
        write(victim.counter, "5000", "-t", "u64", "--verify")
        assert victim.tell("add") == b"5001 42\n"
        write("exe:victim_counter", "0x10", "--type=u64")
        assert victim.tell("get") == b"16 42\n"
        write(victim.i32, "-7", "-t", "i32")
        assert raw(victim.i32, 4) == struct.pack("<i", -7)
        write(victim.u8, "1", "2", "-t", "u8")
        assert raw(victim.u8, 2) == b"\1\2"
        write(victim.f64, "-0.5", "1e300", "-t", "f64")
        assert raw(victim.f64, 16) == struct.pack("<2d", -0.5, 1e300)
        write(victim.ptr, "exe:victim_counter", "-t", "ptr")
        assert raw(victim.ptr, 8) == struct.pack("<Q", victim.counter)
        write(victim.text, "--hex", "41 42\n4344")
        assert raw(victim.text, 6) == b'ABCD"h'
        write(victim.text, "--string", "hello")
        assert raw(victim.text, 6)[:5] == b"hello" and raw(victim.text + 5, 1) != b"\0"
        write(victim.text, "--string", "hello", "--nul", "-v")
        assert raw(victim.text, 6) == b"hello\0"
        data = os.urandom(700001)
        with open(work + "/data", "wb") as file:
            file.write(data)
        write(victim.big + 3, "--file", work + "/data", "-v")
        assert raw(victim.big + 3, len(data)) == data
        write(victim.big, "--file", "-", stdin=b"from stdin")
        assert raw(victim.big, 10) == b"from stdin"
        doc = json.loads(write(victim.big, "1", "-t", "u32", "--json", "-v"))
        assert doc == {"pid": victim.pid, "address": victim.big, "length": 4, "complete": True,
                       "verified": True}
        text = xmap(f"--backend={backend}", "write", victim.pid, victim.big, "1", "-t", "u16")
        assert text == f"wrote 2 bytes at {hex(victim.big)} of process {victim.pid}\n".encode()


@test_each_backend
def write_where_one_may_not(backend):
    args = ["-q", f"--backend={backend}", "write"]
    with Victim() as victim:
        xmap(*args, victim.pid, victim.ro, "1", "-t", "u8", status=MEMORY,
             err="may not write .* itself; --force")
        xmap(*args, victim.pid, victim.shared, "1", "-t", "u8", status=MEMORY,
             err="may not write .* itself, and it is shared")
        xmap(*args, victim.pid, victim.function, "--hex", "cc", status=MEMORY)
        xmap(*args, victim.pid, victim.none, "1", "-t", "u8", status=MEMORY)
        xmap(*args, victim.pid, "0", "1", "-t", "u8", status=MEMORY, err="is not mapped")
        out = xmap(*args, victim.pid, victim.hole - 4, "1", "-t", "u64", "--json", status=MEMORY,
                   err=f"address {hex(victim.hole)} is not mapped")
        assert json.loads(out)["length"] == 4 and not json.loads(out)["complete"]


@test_each_backend
def write_by_force(backend):
    args = ["-q", f"--backend={backend}"]
    with Victim() as victim:
        # mov $42, %eax and its like: change the number that the function returns.
        code = xmap(*args, "read", victim.pid, "exe:victim_function", "32", "--raw")
        at = code.index(struct.pack("<I", 42))
        addr = f"exe:victim_function+{at}"
        xmap(*args, "write", victim.pid, addr, "43", "-t", "u32", "--force", "-v")
        assert victim.tell("get") == b"1000 43\n"
        xmap(*args, "write", victim.pid, victim.ro, "--string", "forced", "--force", "-v")
        xmap(*args, "write", victim.pid, victim.shared, "1", "-t", "u8", "--force", status=MEMORY)
    with Victim() as other:
        assert other.tell("get") == b"1000 42\n", "the program file itself was changed"


@test_each_backend
def write_that_does_not_stay(backend):
    with Victim() as victim, open(work + "/two", "wb") as file:
        file.write(b"\x11" * 4096 + b"\x22" * 4096)
        file.flush()
        xmap("-q", f"--backend={backend}", "write", victim.pid, victim.twin, "--file", file.name,
             "--verify", status=VERIFY, err=f"{hex(victim.twin)} holds 22, not 11")


# ---- Rights ----

@test_each_backend
def other_user_is_refused(backend):
    need(ROOT, "needs root")
    with Victim() as victim:
        for args in (["maps", victim.pid], ["read", victim.pid, victim.counter],
                     ["write", victim.pid, victim.counter, "1", "-t", "u8"],
                     ["watch", victim.pid, victim.counter]):
            xmap("-q", f"--backend={backend}", *args, status=DENIED, uid=NOBODY,
                 err=rf"no right to process {victim.pid}: it belongs to user 0, you are {NOBODY}")
        assert victim.tell("get") == b"1000 42\n"


@test_each_backend
def same_user_is_allowed(backend):
    need(ROOT, "needs root")
    with Victim(uid=NOBODY) as victim, yama(0):
        args = ["-q", f"--backend={backend}", "read", victim.pid, victim.counter, "-t", "u64"]
        assert xmap(*args, uid=NOBODY) == b"1000\n"


@contextlib.contextmanager
def yama(scope):
    """Set Yama's ptrace_scope for a while; 3 could not be taken back."""
    if not os.path.exists(YAMA):
        need(not scope, "this kernel has no Yama")
        yield
        return
    with open(YAMA, "r+", encoding="ascii") as file:
        before = file.read().strip()
    need(before != "3", "Yama ptrace_scope is 3")
    try:
        with open(YAMA, "w", encoding="ascii") as file:
            file.write(str(scope))
        yield
    finally:
        with open(YAMA, "w", encoding="ascii") as file:
            file.write(before)


@test_each_backend
def yama_is_named(backend):
    need(ROOT, "needs root")
    with Victim(uid=NOBODY) as victim:
        for scope in (1, 2):
            with yama(scope):
                xmap("-q", f"--backend={backend}", "maps", victim.pid, status=DENIED, uid=NOBODY,
                     err=rf"Yama ptrace_scope is {scope}: run as root")
                xmap("-q", f"--backend={backend}", "maps", victim.pid)


# ---- watch ----

class Watch:
    def __init__(self, *args):
        self.proc = subprocess.Popen([XMAP, "-q", *map(str, args)], stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE)

    def line(self):
        return self.proc.stdout.readline()

    def end(self, status, err):
        _, text = self.proc.communicate()
        assert self.proc.returncode == status, (self.proc.returncode, text)
        check_stderr(text, status)
        assert re.search(err, text.decode()), text


def start_watch(backend, victim, addr, *args):
    watch = Watch(f"--backend={backend}", "watch", victim.pid, addr, "--json", *args)
    doc = json.loads(watch.line())
    assert doc["via"] == ("window" if backend == "module" else "copy") and doc["address"] == addr
    return watch, doc


@test_each_backend
def watch_changes(backend):
    with Victim() as victim:
        watch, doc = start_watch(backend, victim, victim.counter, "--type", "u64", "--changes",
                                 "--interval=0.01", "--count", "4")
        assert doc["values"] == [1000]
        for want in (1001, 1002, 1003):
            victim.tell("add")
            assert json.loads(watch.line())["values"] == [want]
        watch.end(OK, "^$")


@test_each_backend
def watch_forms(backend):
    args = ["-q", f"--backend={backend}", "watch"]
    with Victim() as victim:
        out = xmap(*args, victim.pid, victim.u8, "2", "-t", "u8", "-n", "3", "-i", "0.001")
        rows = out.decode().splitlines()
        assert len(rows) == 3
        assert all(re.match(r"\d\d:\d\d:\d\d\.\d\d\d  254 7$", row) for row in rows), rows
        out = xmap(*args, victim.pid, victim.hole - 8, "8", "-n", "1").decode()
        assert "|the end.|" in out
        out = xmap(*args, victim.pid, victim.hole - 8, "8", "-t", "str", "-n", "1").decode()
        assert out.endswith("  the end\n")
        # Across two pages, unaligned.
        out = xmap(*args, victim.pid, victim.big + 4091, "64K", "-n", "1", "--json")
        raw = xmap("-q", "read", victim.pid, victim.big + 4091, "64K", "--raw")
        assert bytes.fromhex(json.loads(out)["hex"]) == raw


@test_each_backend
def watch_on_a_terminal(backend):
    ours, theirs = pty.openpty()
    with Victim() as victim, open(ours, "rb", buffering=0) as terminal:
        subprocess.run([XMAP, "-q", f"--backend={backend}", "watch", str(victim.pid),
                        str(victim.u8), "2", "-t", "u8", "-n", "3", "-i", "0.001"],
                       stdout=theirs, check=True)
        os.close(theirs)
        text = b""
        while text.count(b"\n") < 3:
            text += terminal.read(4096)
        # Each sample but the first is drawn over the one before it.
        assert re.fullmatch(rb"(\S+  254 7\r\n)(\x1b\[1A\x1b\[J\S+  254 7\r\n){2}", text), text


@test_each_backend
def watch_until_the_target_is_killed(backend):
    with Victim() as victim:
        # The next sample is an hour away: the end itself has to wake it up.
        watch, _ = start_watch(backend, victim, victim.counter, "-i", "3600")
        victim.end()
        watch.end(ENDED, f"process {victim.pid} ended")


@test_each_backend
def watch_until_exec(backend):
    with Victim() as victim:
        watch, _ = start_watch(backend, victim, victim.counter, "-i",
                               "3600" if backend == "module" else "0.01")
        victim.tell("exec")
        watch.end(ENDED, f"process {victim.pid} runs another program now")


@test_each_backend
def watch_until_munmap(backend):
    with Victim() as victim:
        watch, _ = start_watch(backend, victim, victim.big, "-i", "0.01", "--changes")
        victim.tell("unmap")
        watch.end(MEMORY, f"address {hex(victim.big)} is not mapped")


@test_each_backend
def watch_what_is_not_there(backend):
    with Victim() as victim:
        xmap("-q", f"--backend={backend}", "watch", victim.pid, victim.hole, status=MEMORY,
             err="is not mapped")
        xmap("-q", f"--backend={backend}", "watch", victim.pid, victim.hole - 8, "16",
             status=MEMORY, err=f"address {hex(victim.hole)} is not mapped")
        xmap("-q", f"--backend={backend}", "watch", victim.pid, victim.none, status=MEMORY,
             err="may not read")
        xmap("-q", f"--backend={backend}", "watch", victim.pid, "0xfffffffffffff000",
             status=MEMORY)


# ---- share, and @NAME instead of a process ----

class Background:
    """A command that lasts, with --json: what it says, event by event."""

    def __init__(self, *args, uid=None, stdin=None):
        self.proc = subprocess.Popen([XMAP, "-q", *map(str, args), "--json"],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, **as_user(uid))
        if stdin is not None:
            self.proc.stdin.write(stdin)
        self.proc.stdin.close()

    def __getattr__(self, name):
        return self.__dict__["at"][name]

    def event(self, want):
        line = self.proc.stdout.readline()
        assert line, self.proc.stderr.read()
        doc = json.loads(line)
        assert doc["event"] == want, (want, doc)
        return doc

    def wait(self, status=OK, err="^$"):
        out, text = self.proc.stdout.read(), self.proc.stderr.read().decode()
        assert self.proc.wait() == status, (self.proc.returncode, text)
        assert re.search(err, text), text
        return out

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdout.close()
        self.proc.stderr.close()


class Share(Background):
    """xmap share in the background."""

    def __init__(self, *args, uid=None, stdin=None):
        super().__init__("share", *args, uid=uid, stdin=stdin)
        self.at = self.event("offered")

    def end(self):
        """As by ^C."""
        self.proc.send_signal(signal.SIGINT)
        out = self.wait()
        assert json.loads(out.splitlines()[-1]) == {"event": "revoked"}, out


def shared_file(data, name="shared"):
    path = os.path.join(work, name)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, 0o644)
    return path


DATA = bytes((i * 7 + (i >> 8)) & 255 for i in range(10000))


@test_with_module
def share_and_read():
    with Share("--name", "shop", shared_file(DATA)) as share:
        assert share.length == len(DATA) and share.name == "shop" and not share.write
        for ref in ("@shop", "@" + share.id):
            assert xmap("read", ref, "--raw") == DATA
        assert xmap("read", "@shop", "export+16", "4", "--raw") == DATA[16:20]
        assert xmap("read", "@shop", share.address + 9996, "--raw") == DATA[9996:]
        doc = json.loads(xmap("read", "@shop", "export", "2", "-t", "u16", "--json"))
        assert doc["values"] == [DATA[0] | DATA[1] << 8]
        assert doc["pid"] == share.proc.pid and doc["name"] == "xmap"
        assert doc["address"] == share.address
        maps = json.loads(xmap("maps", "@shop", "--json"))["mappings"]
        assert [(m["start"], m["end"]) for m in maps] == [(share.address, share.address + 10000)]
        # Not a byte before or behind it.
        out = xmap("read", "@shop", "export+9998", "4", "--raw", status=MEMORY,
                   err=r"is not in export @shop, which is 0x")
        assert out == DATA[9998:]
        for addr in ("export-1", "export+10000", "0"):
            xmap("read", "@shop", addr, "1", status=MEMORY, err="is not in export @shop")
            xmap("read", "@shop", addr, status=MEMORY, err="is not in export @shop")
        xmap("write", "@shop", "export", "--hex", "00", status=DENIED,
             err="no right to export @shop: .*, or for reading only$")
        share.end()
    xmap("read", "@shop", status=PROCESS, err="no export @shop: ask its owner")


@test_with_module
def share_of_standard_input_and_zeros():
    data = DATA * 20
    with Share("-", stdin=data) as share:
        assert share.name is None and share.length == len(data)
        assert xmap("read", "@" + share.id, "--raw") == data
        # A part of the last page is not offered: no window, but copies.
        last = share.address + len(data) - 8
        out = json.loads(xmap("watch", "@" + share.id, last, "--json", "-n", "1"))
        assert out["via"] == "copy" and bytes.fromhex(out["hex"]) == data[-8:]
        out = json.loads(xmap("watch", "@" + share.id, "--json", "-n", "1"))
        assert out["via"] == "window" and bytes.fromhex(out["hex"]) == data[:64]
    with Share("--size", "8K", "--write", "--name", "slate") as share:
        assert xmap("read", "@slate", "--raw") == bytes(8192)
        xmap("-q", "write", "@slate", "export+8190", "7", "-t", "u16", "-v")
        assert xmap("read", "@slate", "export+8190", "-t", "u16") == b"7\n"
        xmap("-q", "write", "@slate", "export+8191", "7", "-t", "u16", status=MEMORY,
             err="is not in export @slate")
    xmap("share", "-", stdin=b"", status=USAGE, err="standard input is empty")
    xmap("share", shared_file(b""), status=USAGE, err="is empty: there is nothing to share")
    xmap("share", "/dev", status=USAGE, err="is not a regular file")
    xmap("share", work + "/absent", status=FAIL, err="cannot open .*: No such file")
    xmap("share", "--size", "99999999999T", status=USAGE, err="too large")
    xmap("share", "--size", "8000000T", status=FAIL, err="cannot map")


@test_with_module
def share_to_write():
    path = shared_file(DATA)
    with Share("--name", "shop", "--write", path):
        xmap("-q", "write", "@shop", "export+1", "--string", "hello", "-v")
    with open(path, "rb") as file:
        assert file.read() == DATA[:1] + b"hello" + DATA[6:]


def start_shared_watch(share, name, *args):
    """Somebody who has accepted and stays, and that the owner was told of it."""
    watch = Watch("watch", "@" + name, "--json", "-i", "3600", *args)
    json.loads(watch.line())
    event = share.event("accepted")
    assert event["holder_pid"] == watch.proc.pid and event["holder_name"] == "xmap"
    assert event["read"] and not event["write"] and event["uid"] == os.geteuid()
    return watch, event["serial"]


@test_with_module
def share_tells_who_accepts():
    with Share("--name", "shop", shared_file(DATA)) as share:
        watch, serial = start_shared_watch(share, "shop")
        assert serial > share.serial
        other, _ = start_shared_watch(share, "shop")
        share.end()
        for reader in (watch, other):
            reader.end(ENDED, "^xmap: export @shop: it was revoked$")


@test_with_module
def share_with_whom():
    need(ROOT, "needs root")

    def read(uid, status=OK, **kwargs):
        return xmap("read", "@shop", "export", "1", "--raw", uid=uid, status=status, **kwargs)

    path = shared_file(DATA)
    refused = {"status": DENIED, "err": "no right to export @shop: its owner offers it to others$"}
    with Share("--name", "shop", path):
        read(NOBODY, **refused)
    with Share("--name", "shop", "--mode", "644", path):
        assert read(NOBODY) == DATA[:1]
        xmap("write", "@shop", "export", "--hex", "00", uid=NOBODY, status=DENIED)
    with Share("--name", "shop", "--group", NOBODY, path):
        assert read(NOBODY) == DATA[:1]
        read(NOBODY - 1, **refused)
    with Share("--name", "shop", "--for-user", NOBODY, path):
        assert read(NOBODY) == DATA[:1]
        read(None, **refused)
    # Nobody's own memory, for one process: the same user is not enough.
    script = 'read line; exec "$0" read @shop export 1 --raw'
    with subprocess.Popen(["sh", "-c", script, XMAP], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, **as_user(NOBODY)) as chosen:
        with Share("--name", "shop", "--for", chosen.pid, path, uid=NOBODY):
            read(NOBODY, **refused)
            read(None, **refused)
            assert chosen.communicate(b"\n")[0] == DATA[:1]
    xmap("share", path, "--for", chosen.pid, status=PROCESS, err="does not exist")
    xmap("share", path, "--group", "0", uid=NOBODY, status=USAGE, err="group 0 can be named only")
    xmap("share", path, "--group", "1", uid=NOBODY, status=DENIED, err="that you are not in")


@test_with_module
def share_with_limits():
    path = shared_file(DATA)
    with Share("--name", "shop", "--max", "1", path) as share:
        watch, _ = start_shared_watch(share, "shop")
        xmap("read", "@shop", status=DENIED, err="was accepted 1 times: its owner allows no more")
        share.end()
        watch.end(ENDED, "it was revoked")
    with Share("--name", "shop", "--expires", "1", path) as share:
        share.event("expired")
        xmap("read", "@shop", status=ENDED, err="export @shop has expired")
        share.end()
    with Share("--name", "shop", path):
        xmap("share", "--name", "shop", path, status=FAIL, err="the name `shop` is taken")
        with Share("--name", "shop2", path):
            pass


@test_with_module
def share_until_the_owner_is_killed():
    with Share("--name", "shop", shared_file(DATA)) as share:
        watch, _ = start_shared_watch(share, "shop")
        share.proc.kill()
        watch.end(ENDED, "^xmap: the owner of export @shop ended$")
    with Share("--name", "shop", shared_file(DATA)):
        pass


@test_with_module
def exports_that_are_not_there():
    xmap("read", "@no-such", status=PROCESS, err="no export @no-such: ask its owner")
    xmap("read", "@0x123", status=PROCESS, err="no export @0x123")
    xmap("read", "@0xzz", status=USAGE, err="export id `0xzz` is not a number")
    xmap("read", "@", status=USAGE, err="export @: a name has up to 63 printable")
    xmap("read", "@a b", status=USAGE, err="export @a b: a name has up to 63 printable")
    xmap("read", "@x", "--backend=syscalls", status=MODULE, err="only the module has exports")


@test_without_module
def shares_without_the_module():
    for args in (["read", "@x"], ["share", "--size", "1"], ["revoke", "1"], ["top", "--once"],
                 ["region", "create", "a", "4K"], ["region", "list"], ["region", "show", "a"],
                 ["region", "rm", "a"]):
        xmap(*args, status=MODULE, err="no /dev/xmap: run `sudo m")


# ---- revoke ----

@test_with_module
def revoke_an_export():
    need(ROOT, "needs root")
    with Share("--name", "shop", shared_file(DATA)) as share:
        watch, _ = start_shared_watch(share, "shop")
        doc = json.loads(xmap("revoke", share.serial, "--json"))
        assert doc == {"serial": share.serial, "address": 0, "length": 0, "revoked": True}
        watch.end(ENDED, "it was revoked")
        share.wait(ENDED, "somebody else revoked it")


@test_with_module
def revoke_a_target():
    need(ROOT, "needs root")
    with Share("--name", "shop", shared_file(DATA)) as share:
        watch, serial = start_shared_watch(share, "shop")
        other, _ = start_shared_watch(share, "shop")
        window = next(e["serial"] for e in json.loads(xmap("ps", "--json"))["entries"]
                      if e["parent"] == serial and e["kind"] == "window")
        xmap("revoke", window, status=USAGE,
             err=f"{window} is a window: revoke its target, `xmap revoke {serial}`")
        assert xmap("revoke", serial) == b"revoked %d: nobody reaches it by that any more\n" % serial
        watch.end(ENDED, "it was revoked")
        assert xmap("read", "@shop", "--raw") == DATA
        assert other.proc.poll() is None
        share.end()
        other.end(ENDED, "it was revoked")


@test_with_module
def revoke_a_part():
    need(ROOT, "needs root")
    with Share("--name", "shop", shared_file(DATA)) as share:
        watch, _ = start_shared_watch(share, "shop", "export+4096")
        out = xmap("revoke", share.serial, share.address + 4096, "1K")
        assert out.startswith(b"revoked a part of ")
        out = xmap("read", "@shop", "--raw", status=ENDED,
                   err=rf"address {share.address + 4096:#x} of export @shop was revoked")
        assert out == DATA[:4096]
        assert xmap("read", "@shop", "export+5120", "--raw") == DATA[5120:]
        xmap("watch", "@shop", "export+4096", status=ENDED, err="was revoked")
        # It has an hour to its next sample: what it has is not gone as a whole.
        assert watch.proc.poll() is None
        watch.proc.kill()
        watch.proc.communicate()
        for args in (["0xffffffffffffff00", "1K"], ["0x7fffffffffff", "1K"]):
            xmap("revoke", share.serial, *args, status=USAGE, err="is no range of user memory")
        xmap("revoke", share.serial, share.address - 4096, 4096, status=USAGE,
             err=f"nothing of it is part of {share.serial}")
        share.end()


@test_with_module
def revoke_without_the_right():
    need(ROOT, "needs root")
    xmap("revoke", 2 ** 60, status=PROCESS, err="no export, target or region .* that you can see")
    xmap("revoke", 1, "--backend=syscalls", status=MODULE, err="only the module revokes")
    with Share("--name", "shop", "--mode", "444", shared_file(DATA)) as share:
        # What one does not see one cannot name.
        xmap("revoke", share.serial, uid=NOBODY, status=PROCESS, err="that you can see")
        assert xmap("read", "@shop", "--raw") == DATA
    with Share("--name", "shop", shared_file(DATA), uid=NOBODY) as share:
        xmap("revoke", share.serial, uid=NOBODY, status=DENIED, err="no right to revoke")
        assert xmap("read", "@shop", "--raw") == DATA
        share.end()


# ---- region ----

class Region(Background):
    """xmap region create in the background, until it is told to end."""

    def __init__(self, *args, uid=None):
        super().__init__("region", "create", *args, uid=uid)
        self.at = self.event("created")

    def end(self):
        """As by ^C."""
        self.proc.send_signal(signal.SIGINT)
        assert json.loads(self.wait()) == {"event": "closed"}


def region_show(name, **kwargs):
    return json.loads(xmap("region", "show", name, "--json", **kwargs))


def region_names():
    return json.loads(xmap("region", "list", "--json"))["names"]


def region_handles():
    return json.loads(xmap("region", "list", "--json"))["handles"]


@test_with_module
def region_while_it_is_held():
    with Region("pool", "64K") as region:
        assert region.name == "pool" and region.length == 65536 and region.address == 0
        assert not region.persistent and not region.single_owner and region.owner == "all"
        doc = region_show("pool")
        assert doc["serial"] == region.serial and doc["length"] == 65536
        assert doc["seals"] == [] and doc["generation"] == 0
        handle, = doc["handles"]
        assert handle["serial"] == handle["region"] == region.serial and handle["parent"] == 0
        assert handle["holder_pid"] == region.proc.pid and handle["holder_name"] == "xmap"
        assert handle["read"] and handle["write"] and handle["manage"]
        assert (handle["offset"], handle["length"], handle["mappings"]) == (0, 65536, 0)
        assert handle["uid"] == os.geteuid() and handle["state"] == "alive"
        text = xmap("region", "show", "pool").decode()
        assert re.search(r"^length +65536 bytes$", text, re.M), text
        assert re.search(r"^lasts +as long as somebody has it$", text, re.M), text
        row = rf"^ *{region.serial} +{region.serial} +- +{region.proc.pid} xmap .* rwm +alive "
        assert re.search(row, text, re.M), text
        assert re.search(row, xmap("region", "list").decode(), re.M)
        assert region_handles() == [handle]
        xmap("region", "create", "pool", "4K", status=FAIL, err="the name `pool` is taken")
        region.end()
    xmap("region", "show", "pool", status=PROCESS, err="no region `pool` in this user namespace")
    assert region_handles() == []


@test_with_module
def region_that_stays():
    out = xmap("region", "create", "-p", "pool", "1M").decode()
    assert re.match(r"created region pool of 1048576 bytes, serial \d+\n$", out), out
    try:
        assert region_handles() == []
        doc = region_show("pool")
        assert doc["persistent"] and doc["handles"] == [] and doc["length"] == 1 << 20
        text = xmap("region", "show", "pool").decode()
        assert "until `xmap region rm`" in text and "HOLDER" not in text, text
        assert re.search("^held by +nobody that you can see$", text, re.M), text
        xmap("region", "create", "pool", "4K", status=FAIL, err="the name `pool` is taken")
        kept, = region_names()
        assert kept["region"] == doc["serial"] < kept["serial"] and kept["length"] == 1 << 20
        assert kept["uid"] == os.geteuid() and kept["holder_pid"] == 0
        row = rf"^ *{doc['serial']} +{kept['serial']} +{doc['serial']} +- - .* name +alive "
        assert re.search(row, xmap("region", "list").decode(), re.M)
        row = rf"^ *{kept['serial']} +{doc['serial']} name +- - "
        assert re.search(row, xmap("ps").decode(), re.M)
        doc = json.loads(xmap("top", "--once", "--json"))
        assert doc["names"] == 1 and not doc["regions"] and not doc["pairs"]
        assert "names 1," in xmap("top", "--once").decode()
    finally:
        out = xmap("region", "rm", "pool")
    assert region_names() == []
    assert out == b"removed the name pool: who has the region keeps it\n"
    for action in ("show", "rm"):
        xmap("region", action, "pool", status=PROCESS, err="no region `pool`")
    # Nothing is printed, or JSON.
    xmap("-q", "region", "create", "-p", "pool", "4K")
    assert json.loads(xmap("region", "rm", "pool", "--json")) == {"removed": True}


@test_with_module
def region_that_nobody_can_open():
    need(ROOT, "needs root")
    try:
        # In a user namespace that has ended when the command has.
        subprocess.run(["unshare", "--user", XMAP, "-q", "region", "create", "-p", "pool", "4K"],
                       check=True, **as_user(NOBODY))
        xmap("region", "rm", "pool", status=PROCESS, err="no region `pool`")
        kept, = region_names()
        assert kept["uid"] == NOBODY and kept["state"] == "alive" and kept["length"] == 4096
        assert json.loads(xmap("region", "list", "--json", uid=NOBODY - 1))["names"] == []
        xmap("revoke", kept["serial"], uid=NOBODY - 1, status=PROCESS, err="that you can see")
    finally:
        for kept in region_names():
            xmap("-q", "revoke", kept["serial"])
    assert region_names() == []


@test_with_module
def region_of_a_kind():
    with Region("pool", "4K", "--single-owner") as region:
        assert region.single_owner and region.owner == "none"
        assert "it is there to be taken" in xmap("region", "show", "pool").decode()
        region.end()
    with Region("pool", "4K", "--fixed-address") as region:
        assert region.address >= 0x300000000000 and region.address % 4096 == 0
        text = xmap("region", "show", "pool").decode()
        assert f"0x{region.address:x} in every process" in text, text
        region.end()
    if os.path.exists("/sys/kernel/mm/transparent_hugepage"):
        with Region("pool", "4M", "--huge") as region:
            assert region.huge and region_show("pool")["huge"]
            text = xmap("region", "show", "pool").decode()
            assert re.search("^pages +huge, where one fits$", text, re.M), text
            region.end()
    else:
        xmap("region", "create", "pool", "4M", "--huge", status=FAIL, err="has no huge pages")
    with Region("0x1", "4K") as region:
        assert region_show("0x1")["serial"] == region.serial


@test_with_module
def region_for_whom():
    need(ROOT, "needs root")
    with Region("pool", "4K"):
        for action, what in (("show", "open"), ("rm", "remove")):
            xmap("region", action, "pool", uid=NOBODY, status=DENIED,
                 err=f"no right to {what} region `pool`")
    with Region("pool", "4K", "--mode", "644") as region:
        assert region_show("pool", uid=NOBODY)["serial"] == region.serial
        xmap("region", "rm", "pool", uid=NOBODY, status=DENIED, err="no right to remove")
    # Who may write it only can look at it as well.
    with Region("pool", "4K", "--mode", "622"):
        assert region_show("pool", uid=NOBODY)["length"] == 4096
    with Region("pool", "4K", "--group", NOBODY):
        assert region_show("pool", uid=NOBODY)["length"] == 4096
        xmap("region", "show", "pool", uid=NOBODY - 1, status=DENIED, err="no right to open")
    xmap("region", "create", "pool", "4K", "--group", "1", uid=NOBODY, status=DENIED,
         err="for a group that you are not in")
    with Region("pool", "4K", uid=NOBODY) as region:
        # Root may, and nobody sees what is his.
        xmap("region", "rm", "pool")
        assert region_handles()[0]["uid"] == NOBODY
        assert json.loads(xmap("region", "list", "--json", uid=NOBODY - 1)) == {"handles": [],
                                                                                 "names": []}
        region.end()


@test_with_module
def region_too_large():
    limit = json.loads(xmap("check", "--json"))["max_region_bytes"]
    for size in (limit + 4096, "130T"):
        out = subprocess.run([XMAP, "region", "create", "pool", str(size)], capture_output=True,
                             check=False)
        assert (out.returncode, out.stdout) in ((FAIL, b""), (USAGE, b"")), out
        assert re.match(rb"xmap: (too many regions, or bytes|\d+ bytes are more than)", out.stderr)
    xmap("region", "list", "--backend=syscalls", status=MODULE, err="only the module has regions")


@test_with_module
def region_that_is_revoked():
    need(ROOT, "needs root")
    with Region("pool", "4K", uid=NOBODY) as region:
        # It would end at once.
        os.kill(region.proc.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, region.proc.pid, os.WSTOPPED)
        xmap("-q", "revoke", region.serial)
        assert region_handles()[0]["state"] == "revoked"
        # The name has gone with what it stood for.
        xmap("region", "show", "pool", status=PROCESS, err="no region `pool` in this user namespace")
        os.kill(region.proc.pid, signal.SIGCONT)
        region.wait(ENDED, "^xmap: somebody else revoked it$")


@test_with_module
def ps_and_top_show_regions():
    with Region("pool", "64K") as region:
        entry, = [e for e in json.loads(xmap("ps", "--json"))["entries"]
                  if e["kind"] == "region" and e["holder_pid"] == region.proc.pid]
        assert entry["serial"] == region.serial and entry["manage"] and entry["target_pid"] == 0
        assert (entry["address"], entry["length"], entry["mappings"]) == (0, 65536, 0)
        assert re.search(rf"^ *{region.serial} +- region +{region.proc.pid} xmap .* rwm +alive ",
                         xmap("ps").decode(), re.M)
        doc = json.loads(xmap("top", "--once", "--json"))
        row, = doc["regions"]
        assert doc["handles"] == 1 and not doc["pairs"]
        assert row["holder_pid"] == region.proc.pid and row["region"] == region.serial
        assert (row["handles"], row["mappings"], row["bytes"]) == (1, 0, 0)
        assert row["manage"] and row["uid"] == os.geteuid() and row["since_ns"] < doc["now_ns"]
        table = xmap("top", "--once").decode()
        assert re.search(rf"^ *{region.proc.pid} xmap +\d+ +{region.serial} \(region\) +rwm +1 +0 "
                         r"+0K +- +- +\d+s$", table, re.M), table
        region.end()


# ---- The examples ----

def example(name, *args):
    done = subprocess.run([os.path.join(TOOLS, "examples", name), *map(str, args)],
                          capture_output=True, check=False, timeout=600)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@test
def example_peek():
    with Victim() as victim:
        want = "by copy:          1000\n"
        if HAVE_MODULE:
            want += "through a window: 1000\n"
        assert example("peek", victim.pid, victim.counter) == (0, want, "")
        want += "written:          77\n"
        assert example("peek", victim.pid, victim.counter, "77") == (0, want, "")
        assert victim.tell("get") == b"77 42\n"
        assert example("peek", victim.pid, victim.hole)[0] == 1


@test
def example_debugger():
    with Victim() as victim:
        where = f"{victim.counter:x}"
        status, out, err = example("debugger", victim.pid, where)
        assert (status, err) == (0, "") and out.startswith("0x3e8 in "), (status, out, err)
        assert example("debugger", victim.pid, where, "4d")[0] == 0
        assert victim.tell("get") == b"77 42\n"
        for args, want in (((victim.pid, f"{victim.hole:x}"), (1, "no 8 bytes to read")),
                           ((victim.pid, "zebra"), (2, "usage:")),
                           ((2 ** 22 + 1, where), (1, "No such process"))):
            status, out, err = example("debugger", *args)
            assert (status, out) == (want[0], "") and want[1] in err, (status, out, err)


@test_with_module
def example_follow():
    with Victim() as victim:
        proc = subprocess.Popen([os.path.join(TOOLS, "examples", "follow"), str(victim.pid),
                                 str(victim.counter)], stdout=subprocess.PIPE)
        assert proc.stdout.readline() == b"1000\n"
        victim.tell("add")
        assert proc.stdout.readline() == b"1001\n"
        victim.end()
        assert proc.stdout.read() == b"the memory is gone\n"
        proc.stdout.close()
        assert proc.wait() == 0


@test
def example_channel():
    assert example("channel", "there", "and", "back") == (0, "THERE AND BACK\n", "")
    status, out, err = example("channel", "x" * 101)
    assert (status, out, err) == (1, "", "channel: receive: Message too long\n"), (status, out, err)


@test
def example_breakpoint():
    status, out, err = example("breakpoint")
    assert (status, err) == (0, "")
    assert [re.sub("[^0-9]*([0-9]+) times", r" \1", line)[-2:] for line in out.splitlines()] == \
        [" 0", " 1", " 1"], out


@test_with_module
def example_revoke():
    got = example("revoke")
    assert got == (0, """\
child: through the window: lent, not given
child: by copy:            lent, not given
parent: revoked; here it is still: lent, not given
child: through the window: Stale file handle
child: by copy:            Stale file handle
""", ""), got


@test_with_module
def example_offer_and_narrow():
    proc = subprocess.Popen([os.path.join(TOOLS, "examples", "offer"), "board"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert proc.stdout.readline() == b"the board is open as board\n"
    assert xmap("read", "@board", "export+8", "-t", "str") == b"Open all day\n"
    assert proc.stdout.readline() == b"visitors: 1\n"
    status, out, err = example("narrow", "board")
    # The first word of the board is the number of visitors, which just changes.
    assert (status, err) == (0, "") and re.fullmatch("""\
accepted 4096 bytes, give away 8
helper: its 8 bytes: [12]
helper: what is behind them: Permission denied
taken back; the whole is still here: [12]
helper: its 8 bytes, revoked: Stale file handle
""", out), (status, out, err)
    assert proc.stdout.readline() == b"visitors: 2\n"
    out = proc.communicate()[0]
    assert out == b"the board is closed: nobody else reaches it\n", out
    assert proc.returncode == 0
    assert example("narrow", "board")[0] == 1


@test_with_module
def example_region():
    command = [os.path.join(TOOLS, "examples", "region"), "board"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as maker:
        assert maker.stdout.readline() == b"the board is there\n"
        maker.stdin.write(b"fish on Friday\n")
        maker.stdin.flush()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE) as reader:
            assert reader.stdout.readline() == b"fish on Friday\n"
            assert region_show("board")["length"] == 65536
            maker.stdin.write(b"soup on Sunday\n")
            maker.stdin.flush()
            assert reader.stdout.readline() == b"soup on Sunday\n"
            row = next(r for r in json.loads(xmap("top", "--once", "--json"))["regions"]
                       if r["holder_pid"] == maker.pid)
            assert (row["handles"], row["mappings"], row["bytes"]) == (1, 1, 65536)
            maker.stdin.close()
            assert reader.stdout.read() == b"the board was taken away\n"
            assert reader.wait() == 0
        assert maker.stdout.read() == b"nobody reads the board any more\n"
        assert maker.wait() == 0


@test_with_module
def example_move():
    assert example("move") == (0, """\
parent: wrote 16777216 bytes: Dear child,...
parent: sent them, and looks: Operation not permitted
child:  received 16777216 bytes: Dear child,...
parent: has them back: Dear parent...
""", "")


@test_with_module
def example_pointers():
    status, out, err = example("pointers")
    assert (status, err) == (0, "") and re.fullmatch("""\
writer: at (?P<at>0x3[0-9a-f]{8})000, the first item at (?P=at)008
reader: at (?P=at)000, generation 0: fish soup bread
writer: new pages, generation 1, the first item: none
reader: at (?P=at)000, generation 1: tea cake
reader: it was taken away
""", out), (status, out, err)


@test_with_module
def example_seal():
    got = example("seal")
    assert got == (0, """\
parent: seal it while it can write: Device or resource busy
parent: write: Operation not permitted
parent: put other pages in its place: Operation not permitted
parent: make it longer: Operation not permitted
child:  sealed, and says: two and two are four
child:  map it to write: Operation not permitted
""", ""), got


@test_with_module
def example_deny():
    need(ROOT, "needs root")
    deny = shutil.copy(os.path.join(TOOLS, "examples", "deny"), work)
    for uid, reads, opens in ((NOBODY, "Stale file handle", "Permission denied"),
                              (None, "the cake is in the cellar", "Success")):
        done = subprocess.run([deny], capture_output=True, check=False, timeout=600,
                              **as_user(uid))
        assert done.returncode == 0 and done.stdout.decode() == f"""\
parent: reads: the cake is in the cellar
child:  refuses from now on, and cannot be talked out of it: Operation not permitted
parent: reads: {reads}
parent: opens it again: {opens}
""", (uid, done)


# ---- ps and top ----

@test_with_module
def ps_lists_targets_and_windows():
    with Victim() as victim:
        assert not [e for e in json.loads(xmap("ps", "--json"))["entries"]
                    if e["target_pid"] == victim.pid]
        watch, _ = start_watch("module", victim, victim.counter, "-i", "3600")
        entries = [e for e in json.loads(xmap("ps", "--json"))["entries"]
                   if e["target_pid"] == victim.pid]
        assert {e["kind"] for e in entries} == {"target", "window"}
        for e in entries:
            assert e["holder_pid"] == watch.proc.pid and e["holder_name"] == "xmap"
            assert e["target_name"] == "victim" and e["alive"] and e["read"] and not e["write"]
        window = next(e for e in entries if e["kind"] == "window")
        assert window["address"] == victim.counter & ~4095 and window["faults"] >= 1
        table = xmap("ps").decode()
        assert re.search(rf"window +{watch.proc.pid} xmap .* {victim.pid} victim", table), table
        if ROOT:
            assert str(victim.pid) not in xmap("ps", uid=NOBODY).decode()
        victim.end()
        watch.end(ENDED, "ended")


@test
def ps_needs_the_module():
    xmap("ps", "--backend=syscalls", status=MODULE, err="only the module knows")


@test_without_module
def ps_without_the_module():
    xmap("ps", status=MODULE, err="no /dev/xmap: run `sudo m")


@test_with_module
def ps_shows_the_tree():
    with Share("--name", "shop", shared_file(DATA)) as share:
        watch, serial = start_shared_watch(share, "shop")

        def entries():
            return {e["kind"]: e for e in json.loads(xmap("ps", "--json"))["entries"]
                    if e["target_pid"] == share.proc.pid}

        got = entries()
        assert {k: e["serial"] for k, e in got.items() if k != "window"} == \
            {"export": share.serial, "target": serial}
        assert [got[k]["parent"] for k in ("export", "target", "window")] == \
            [0, share.serial, serial]
        assert {e["state"] for e in got.values()} == {"alive"}
        assert got["export"]["accepts"] == 1 and got["export"]["faults"] == 0
        assert got["window"]["accepts"] == 0 and got["window"]["faults"] >= 1
        table = xmap("ps").decode()
        for row in (rf"{share.serial} +- export +{share.proc.pid} xmap ",
                    rf"{serial} +{share.serial} target +{watch.proc.pid} xmap ",
                    rf"{got['window']['serial']} +{serial} window +{watch.proc.pid} xmap "):
            assert re.search(rf"^ *{row}", table, re.M), (row, table)
        if ROOT:
            os.kill(watch.proc.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, watch.proc.pid, os.WSTOPPED)
            xmap("-q", "revoke", serial)
            got = entries()
            assert got["target"]["state"] == "revoked" and not got["target"]["alive"]
            assert got["export"]["state"] == "alive"
            os.kill(watch.proc.pid, signal.SIGCONT)
        share.end()
        watch.end(ENDED, "it was revoked")


def top_pair(doc, watch):
    return next((p for p in doc["pairs"] if p["holder_pid"] == watch.proc.pid), None)


@test_with_module
def top_shows_who_maps_whom():
    with Victim() as victim:
        watch, _ = start_watch("module", victim, victim.counter, "-i", "3600")
        doc = json.loads(xmap("top", "--once", "--json"))
        pair = top_pair(doc, watch)
        assert pair["target_pid"] == victim.pid and pair["target_name"] == "victim"
        assert pair["holder_name"] == "xmap" and pair["uid"] == os.geteuid()
        assert pair["read"] and not pair["write"] and pair["targets"] == pair["windows"] == 1
        assert pair["bytes"] == 4096 and pair["faults"] >= 1 and pair["since_ns"] < doc["now_ns"]
        assert doc["targets"] >= 1 and doc["windows"] >= 1 and doc["bytes"] >= 4096
        table = xmap("top", "--once").decode()
        assert re.search(rf"^ *{watch.proc.pid} xmap +{os.geteuid()} +{victim.pid} victim +r-- +1"
                         r" +1 +4K ", table, re.M), table
        if ROOT:
            assert not top_pair(json.loads(xmap("top", "--once", "--json", uid=NOBODY)), watch)
        victim.end()
        watch.end(ENDED, "ended")
        assert not top_pair(json.loads(xmap("top", "--once", "--json")), watch)


@test_with_module
def top_counts_the_faults_between():
    with Victim() as victim:
        top = Watch("top", "--json", "-i", "0.01")
        first = json.loads(top.line())
        watch, _ = start_watch("module", victim, victim.counter, "-i", "3600")
        while not (pair := top_pair(json.loads(top.line()), watch)) or not pair["faults"]:
            pass
        assert pair["faults_per_second"] >= 1
        while top_pair(json.loads(top.line()), watch)["faults_per_second"]:
            pass
        assert not top_pair(first, watch)
        top.proc.terminate()
        top.proc.communicate()
        victim.end()
        watch.end(ENDED, "ended")


@test_with_module
def top_on_a_terminal():
    ours, theirs = pty.openpty()
    with Victim() as victim, open(ours, "rb", buffering=0) as terminal:
        watch, _ = start_watch("module", victim, victim.counter, "-i", "3600")
        subprocess.run([XMAP, "top", "-n", "2", "-i", "0.001"], stdout=theirs, check=True)
        os.close(theirs)
        text = b""
        while text.count(b"\x1b[?7h") < 2:
            text += terminal.read(4096)
        # Each table begins at the top of an empty screen.
        screens = text.split(b"\x1b[H\x1b[J\x1b[?7l")
        assert len(screens) == 3 and not screens[0], text
        assert all(b" victim " in screen for screen in screens[1:]), text
        victim.end()
        watch.end(ENDED, "ended")
    assert xmap("top", "-n", "2", "-i", "0.001").count(b"HOLDER") == 2


@test
def top_needs_the_module():
    xmap("top", "--backend=syscalls", status=MODULE, err="only the module knows who maps whom")


# ---- check ----

@test_with_module
def check_with_the_module():
    text = xmap("check").decode()
    assert "verdict     fully usable\n" in text and "module      loaded\n" in text
    doc = json.loads(xmap("check", "--json"))
    assert doc["usable"] and doc["abi"] == 1 and {"window", "export", "region"} < set(doc["features"])
    assert doc["advice"] is None and doc["max_targets"] >= 1 and doc["max_exports"] >= 1
    assert doc["exports"] == doc["regions"] == doc["region_bytes"] == 0
    assert doc["max_regions"] >= 1 and doc["max_region_bytes"] >= 4096


def check_over(device):
    """xmap check in a mount namespace where another device is at /dev/xmap."""
    script = 'mount --bind "$1" /dev/xmap && exec "$2" check --json'
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", device, XMAP],
                          capture_output=True, check=False)
    return done.returncode, json.loads(done.stdout)


@test_with_module
def check_with_a_wrong_device():
    need(ROOT, "needs root")
    status, doc = check_over("/dev/null")
    assert status == FAIL and not doc["usable"] and "of one release" in doc["advice"]


WITHOUT_DEVICE = 'mount -t tmpfs none /dev && exec "$@"'
UNREADABLE_DEVICE = '''
    set -e
    mount -t tmpfs none /dev
    mknod -m 0 /dev/xmap c 1 3
    exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
'''


def in_namespace(script, *args):
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", XMAP, *map(str, args)],
                          capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


@test
def without_the_device():
    need(ROOT, "needs root")
    status, out, _ = in_namespace(WITHOUT_DEVICE, "check", "--json")
    doc = json.loads(out)
    assert status == MODULE and doc["device"] == "absent" and not doc["usable"], (status, out)
    assert doc["fallback"] and doc["advice"]
    with Victim() as victim:
        status, out, err = in_namespace(WITHOUT_DEVICE, "read", victim.pid, victim.counter,
                                        "-t", "u64")
        assert status == OK and out == b"1000\n"
        assert re.match(r"xmap: no /dev/xmap: run `sudo .*; using process_vm_readv\n$", err), err
        status, out, err = in_namespace(WITHOUT_DEVICE, "-q", "read", victim.pid, victim.counter)
        assert status == OK and not err
        status, _, err = in_namespace(WITHOUT_DEVICE, "maps", victim.pid, "--backend=module")
        assert status == MODULE and re.match("xmap: no /dev/xmap: run `sudo ", err), err


@test
def without_the_right_to_the_device():
    need(ROOT, "needs root")
    status, out, _ = in_namespace(UNREADABLE_DEVICE, "check", "--json")
    doc = json.loads(out)
    assert status == DENIED and doc["device"] == "no right to open it", (status, out)
    with Victim(uid=NOBODY) as victim, yama(0):
        status, out, err = in_namespace(UNREADABLE_DEVICE, "read", victim.pid, victim.counter,
                                        "-t", "u64")
        assert status == OK and out == b"1000\n", err
        assert re.match(r"xmap: no right to open /dev/xmap: .*; using process_vm_readv\n$", err)
        status, _, err = in_namespace(UNREADABLE_DEVICE, "maps", victim.pid, "--backend=module")
        assert status == DENIED and re.match("xmap: no right to open /dev/xmap", err), err


def run(number, name, func, args):
    try:
        func(*args)
        print(f"ok {number} - {name}", flush=True)
        return True
    except Skip as reason:
        print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        return True
    except Exception:
        for line in traceback.format_exc().splitlines():
            print(f"# {line}")
        print(f"not ok {number} - {name}", flush=True)
        return False


def main():
    only = sys.argv[1:]
    chosen = [t for t in tests if not only or any(word in t[0] for word in only)]
    print(f"TAP version 13\n1..{len(chosen)}", flush=True)
    try:
        good = [run(i, *t) for i, t in enumerate(chosen, 1)]
    finally:
        shutil.rmtree(work)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
