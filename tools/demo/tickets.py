#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A ticket office: the program that the demo looks into.

It knows nothing of xmap.  It sells tickets, shows its sign whenever the text on
it has changed, and has a ledger of past years that it never opens again.
"""

import ctypes
import mmap
import time

# The name that ps and top show.
with open("/proc/self/comm", "w", encoding="ascii") as comm:
    comm.write("tickets")

sold = ctypes.c_uint64(0)
sign = ctypes.create_string_buffer(b"Open all day", 64)
ledger = mmap.mmap(-1, 256 * 1024, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
while ledger.tell() < len(ledger):
    ledger.write(f"{1900 + ledger.tell() // 4096}: all seats sold".encode().ljust(4096, b"\0"))

print(f"sold   {ctypes.addressof(sold):#x}")
print(f"sign   {ctypes.addressof(sign):#x}")
print(f"ledger {ctypes.addressof(ctypes.c_char.from_buffer(ledger)):#x}", flush=True)
shown = None
while True:
    sold.value += 1
    if sign.value != shown:
        shown = sign.value
        print(f"sign   {shown.decode()} (at ticket {sold.value})", flush=True)
    time.sleep(0.001)
