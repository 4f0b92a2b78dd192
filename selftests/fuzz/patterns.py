#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Write the kernel report patterns of selftests/vm/reports.py as C strings, for regcomp()."""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../vm"))
import reports  # noqa: E402

CLASSES = {r"\S": "[^[:space:]]", r"\s": "[[:space:]]", r"\d": "[0-9]", r"\w": "[[:alnum:]_]"}


def posix(pattern):
    for perl, bracket in CLASSES.items():
        pattern = pattern.replace(perl, bracket)
    if "(?" in pattern or r"\b" in pattern:
        sys.exit(f"not a POSIX expression: {pattern}")
    return pattern


print("/* Made by selftests/fuzz/patterns.py. */")
print("#define REPORT_PATTERN", json.dumps(posix(reports.REPORT.pattern)))
print("#define USER_PATTERN", json.dumps(posix(reports.USER.pattern)))
print("#define OOM_PATTERN", json.dumps(reports.OOM))
