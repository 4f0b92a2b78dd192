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
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import traceback

HERE = os.path.dirname(os.path.realpath(__file__))
TOOLS = os.path.join(HERE, "..", "tools")
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
    for word in ("check", "maps", "read", "write", "watch", "ps", "Exit status"):
        assert word in text
    assert text == xmap("help").decode()
    for cmd in ("check", "maps", "read", "write", "watch", "ps"):
        text = xmap(cmd, "--help").decode()
        assert text.startswith(f"Usage: xmap {cmd} ") and "Exit status" in text
        assert text == xmap("help", cmd).decode() == xmap("-h", cmd).decode()
    assert re.match(r"xmap \d+\.\d+\.\d+ \(libxmap \S+, interface 1\)\n$", xmap("-V").decode())


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
            (["watch", pid, "0", "3", "-t", "u16"], "not a multiple")):
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
def example_breakpoint():
    status, out, err = example("breakpoint")
    assert (status, err) == (0, "")
    assert [re.sub("[^0-9]*([0-9]+) times", r" \1", line)[-2:] for line in out.splitlines()] == \
        [" 0", " 1", " 1"], out


# ---- ps and check ----

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
def check_with_the_module():
    text = xmap("check").decode()
    assert "verdict     fully usable\n" in text and "module      loaded\n" in text
    doc = json.loads(xmap("check", "--json"))
    assert doc["usable"] and doc["abi"] == 1 and "window" in doc["features"]
    assert doc["advice"] is None and doc["max_targets"] >= 1


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
