# SPDX-License-Identifier: GPL-2.0-only
"""Finding, fetching and unpacking the kernels that the virtual machines boot."""

import bz2
import fcntl
import glob
import hashlib
import lzma
import os
import re
import shutil
import struct
import subprocess
import tempfile
import zlib

# Debian's package name without "linux-image-" or "linux-headers-", for each name we accept.
META = {"6.1": "amd64", "6.12": "6.12-amd64", "6.12-rt": "6.12-rt-amd64"}

# Kernels of our own, see selftests/kernel/: the memory they need in MiB, and their command lines.
OURS = {"debug": (3072, "page_table_check=on kmemleak=on kasan_multi_shot"), "kcsan": (2048, "")}


class Trouble(Exception):
    """The runner cannot do its work; the text says why and what to do."""


class Kernel:
    """A kernel that can be booted: a release, its image, and where its modules are."""

    def __init__(self, name, release, image, base):
        self.name = name
        self.release = release
        self.image = image
        self.base = base
        self.memory, self.append = OURS.get(name, (2048, ""))

    def modules(self):
        """The directory of this kernel's modules, or None when all it needs is built in."""
        path = os.path.join(self.base, "lib/modules", self.release)
        return path if os.path.exists(os.path.join(path, "modules.dep")) else None


def cache_dir(*parts):
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(root, "xmap", *parts)
    os.makedirs(path, exist_ok=True)
    return path


def version_key(release):
    return [int(word) for word in re.findall(r"\d+", release)]


def releases(name):
    """The releases of a series that have headers here, else those that have images; newest last.

    Headers come first: the module was built against them, and must meet exactly that kernel.
    """
    series, _, flavour = name.partition("-")
    tail = "-rt-amd64" if flavour == "rt" else "-amd64"
    pattern = re.compile(re.escape(series) + r"\.[\w.+~-]*?" + re.escape(tail))

    def matching(paths):
        found = {r for r in paths if pattern.fullmatch(r)}
        if not flavour:
            found = {r for r in found if not re.search(r"-(rt|cloud)-amd64$", r)}
        return sorted(found, key=version_key)

    headers = matching(p.split("/")[-2] for p in glob.glob("/lib/modules/*/build/Makefile"))
    images = [os.path.basename(p)[len("vmlinuz-"):] for p in glob.glob("/boot/vmlinuz-*")]
    return headers or matching(images + os.listdir(cache_dir("kernels")))


def own_image(name):
    """The image of a kernel that selftests/kernel/build has built."""
    build = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "kernel/build")
    where = subprocess.run([build, "--where", name], capture_output=True, text=True, check=False)
    if where.returncode:
        raise Trouble(where.stderr.strip())
    return os.path.join(where.stdout.strip(), "bzImage")


def release_of(name):
    """The exact release that a name such as 6.12 or 6.12-rt stands for on this machine."""
    if name in OURS:
        return image_release(own_image(name))
    if os.path.isfile(name):
        return image_release(name)
    if name not in META:
        raise Trouble(f"unknown kernel '{name}': use {', '.join([*META, *OURS])} or the path of a bzImage")
    found = releases(name)
    if found:
        return found[-1]
    package = f"linux-image-{META[name]}"
    text = subprocess.run(["apt-cache", "depends", package], capture_output=True, text=True,
                          check=False).stdout
    match = re.search(r"Depends: linux-image-(\d\S+)", text)
    if not match:
        raise Trouble(f"apt knows no {package}: run 'sudo apt-get update' first")
    return match.group(1)


def image_release(path):
    """The release that a bzImage carries in its boot header."""
    with open(path, "rb") as file:
        head = file.read(0x10000)
    if len(head) < 0x250 or head[0x202:0x206] != b"HdrS":
        raise Trouble(f"{path} is not a bzImage")
    offset = struct.unpack_from("<H", head, 0x20e)[0] + 0x200
    return head[offset:head.index(b"\0", offset)].split()[0].decode()


def fetch(release):
    """Unpack Debian's package of a kernel that is not installed into the cache."""
    kernels = cache_dir("kernels")
    base = os.path.join(kernels, release)
    with open(os.path.join(cache_dir(), "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(base):
            return base
        package = f"linux-image-{release}"
        with tempfile.TemporaryDirectory(dir=cache_dir()) as work:
            got = subprocess.run(["apt-get", "download", "-q", package], cwd=work, text=True,
                                 capture_output=True, check=False)
            debs = glob.glob(os.path.join(work, "*.deb"))
            if got.returncode or not debs:
                raise Trouble(f"'apt-get download {package}' failed: {got.stderr.strip()}\n"
                              "  run 'sudo apt-get update' and install the newest headers")
            tree = os.path.join(work, "tree")
            subprocess.run(["dpkg", "-x", debs[0], tree], check=True)
            subprocess.run(["depmod", "-b", tree, release], check=True)
            os.rename(tree, base)
    return base


def find(name):
    release = release_of(name)
    if name in OURS:
        return Kernel(name, release, own_image(name), "/")
    if os.path.isfile(name):
        bases = ["/", os.path.join(cache_dir("kernels"), release)]
        base = next((b for b in bases if os.path.isdir(f"{b}/lib/modules/{release}/kernel")), "/")
        return Kernel(os.path.basename(name), release, os.path.realpath(name), base)
    installed = f"/boot/vmlinuz-{release}"
    if os.access(installed, os.R_OK) and os.path.isdir(f"/lib/modules/{release}/kernel"):
        return Kernel(name, release, installed, "/")
    base = fetch(release)
    return Kernel(name, release, f"{base}/boot/vmlinuz-{release}", base)


def decompress(data):
    """Undo the compression of a bzImage's payload, told by its first bytes."""
    magics = [(b"\x1f\x8b", lambda d: zlib.decompressobj(31).decompress(d)),
              (b"\xfd7zXZ\0", lambda d: lzma.LZMADecompressor().decompress(d)),
              (b"\x5d\0\0\0", lambda d: lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(d)),
              (b"BZh", lambda d: bz2.BZ2Decompressor().decompress(d)),
              (b"\x28\xb5\x2f\xfd", lambda d: pipe("zstd", d)),
              (b"\x02\x21\x4c\x18", lambda d: pipe("lz4", d)),
              (b"\x7fELF", lambda d: d)]
    for magic, undo in magics:
        if data.startswith(magic):
            return undo(data)
    raise Trouble(f"unknown compression of the kernel image ({data[:4].hex()})")


def pipe(tool, data):
    if not shutil.which(tool):
        raise Trouble(f"{tool} is missing: run 'sudo apt-get install {tool}'")
    # The image appends the unpacked size, four bytes that are no part of the stream.
    return subprocess.run([tool, "-dc"], input=data[:-4], capture_output=True, check=True).stdout


def has_pvh_entry(elf):
    """Whether an ELF image has the note that names its PVH entry point."""
    phoff, = struct.unpack_from("<Q", elf, 32)
    phentsize, phnum = struct.unpack_from("<HH", elf, 54)
    for i in range(phnum):
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", elf, phoff + i * phentsize)
        end = offset + size
        while kind == 4 and offset + 12 <= end:
            namesz, descsz, note = struct.unpack_from("<III", elf, offset)
            if note == 18 and elf[offset + 12:offset + 16] == b"Xen\0":
                return True
            offset += 12 + (namesz + 3 & ~3) + (descsz + 3 & ~3)
    return False


def bootable(kernel):
    """The unpacked ELF image, which boots seconds earlier than the bzImage under emulation."""
    stat = os.stat(kernel.image)
    key = hashlib.sha256(f"{kernel.image}:{stat.st_size}:{stat.st_mtime_ns}".encode()).hexdigest()
    path = os.path.join(cache_dir("vmlinux"), f"{kernel.release}-{key[:12]}")
    if os.path.exists(path):
        return path if os.path.getsize(path) else kernel.image
    with open(kernel.image, "rb") as file:
        image = file.read()
    start, length = struct.unpack_from("<II", image, 0x248)
    start += ((image[0x1f1] or 4) + 1) * 512
    elf = decompress(image[start:start + length])
    # An empty file remembers that this kernel must be booted as a bzImage.
    usable = elf.startswith(b"\x7fELF") and has_pvh_entry(elf)
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(path), delete=False) as file:
        file.write(elf if usable else b"")
    os.rename(file.name, path)
    return path if usable else kernel.image


def module_files(kernel, names):
    """The files of these modules and of all they need, in load order; built-in ones have none."""
    files = []
    for name in names if kernel.modules() else []:
        text = subprocess.run(["modprobe", "-d", kernel.base, "-S", kernel.release,
                               "--show-depends", name], capture_output=True, text=True,
                              check=False).stdout
        for line in text.splitlines():
            word = line.split()
            if word[0] == "insmod" and word[1] not in files:
                files.append(word[1])
    return files


def read_module(path):
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(".xz"):
        return lzma.decompress(data)
    if path.endswith(".gz"):
        return zlib.decompress(data, 31)
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout
    return data


def cpio(entries):
    """A newc archive of (path, mode, data) entries: what an initramfs is made of."""
    out = bytearray()
    for number, (path, mode, data) in enumerate(entries + [("TRAILER!!!", 0, b"")], 1):
        name = path.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        out += b"070701" + b"".join(b"%08x" % field for field in fields) + name
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out)
