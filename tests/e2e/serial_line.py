#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends random bytes over a serial line in both directions at once and compares them.

Usage: serial_line.py BYTES SECONDS TTY TTY
"""

import os
import select
import sys
import time
import tty


def main():
    size, seconds = int(sys.argv[1]), float(sys.argv[2])
    ends = [os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK) for path in sys.argv[3:5]]
    for end in ends:
        tty.setraw(end)
    sent = [os.urandom(size) for _ in ends]
    left = list(sent)
    got = [b"", b""]
    deadline = time.monotonic() + seconds
    while min(map(len, got)) < size and time.monotonic() < deadline:
        writing = [end for end, data in zip(ends, left) if data]
        readable, writable, _ = select.select(ends, writing, [], 0.2)
        for i, end in enumerate(ends):
            if end in readable:
                got[i] += os.read(end, 65536)
            if end in writable:
                left[i] = left[i][os.write(end, left[i][:4096]) :]
    for i, path in enumerate(sys.argv[3:5]):
        if got[i] != sent[1 - i]:
            print(f"{path}: {len(got[i])} of {size} bytes arrived, {size - len(left[i])} were written")
    return int(got != sent[::-1])


if __name__ == "__main__":
    sys.exit(main())
