# SPDX-License-Identifier: Apache-2.0
"""Sessions of bpfd with probes, in the VM: attach, read, detach. No probe may be left in tracefs."""
import atexit
import base64
import ctypes
import os
import re
import shutil
import struct
import sys
import tempfile

from driver import Wrong
from sessions import Messages, Text, bpf, pointer, string

TRACEFS = "/sys/kernel/tracing"
FUNCTION = "__x64_sys_getpgid"
OTHER = "p:mine/not_ours do_exit"  # an event of another program
LISTS = ("kprobe_events", "uprobe_events")


def code(*instructions):
    return b"".join(struct.pack("<BBhi", *i) for i in instructions)


def counter(counts, ring=None):
    """A program that counts the calls of this process in a map, and makes a record of each."""
    load = lambda register, handle: ((0x18, register | 0x10, 0, handle), (0, 0, 0, 0))
    body = [(0xbf, 0x16, 0, 0),  # r6 = ctx
            (0x85, 0, 0, 14), (0x77, 0, 0, 32),  # r0 = pid
            None,
            (0x7a, 10, -8, 77), (0x62, 10, -16, 0),  # record, key
            (0xbf, 0xa2, 0, 0), (0x07, 2, 0, -16), *load(1, counts), (0x85, 0, 0, 1),  # r0 = lookup
            (0x15, 0, 2, 0), (0xb7, 1, 0, 1), (0xdb, 0x10, 0, 0)]  # *r0 += 1
    if ring is not None:
        body += [(0xbf, 0x61, 0, 0), *load(2, ring), (0xb4, 3, 0, -1), (0xbf, 0xa4, 0, 0), (0x07, 4, 0, -8),
                 (0xb7, 5, 0, 8), (0x85, 0, 0, 25)]  # output on this CPU
    body[3] = (0x55, 0, len(body) - 4, os.getpid())
    return code(*body, (0xb7, 0, 0, 0), (0x95, 0, 0, 0))


def place():
    """The file and the offset of a function that this process calls."""
    address = ctypes.cast(ctypes.CDLL(None).getpgid, ctypes.c_void_p).value
    with open("/proc/self/maps") as maps:
        for line in maps:
            start, end, offset, path = re.match(r"(\S+)-(\S+) \S+ (\S+) \S+ \S+ *(.*)", line).groups()
            if int(start, 16) <= address < int(end, 16):
                return path, address - int(start, 16) + int(offset, 16)
    raise Wrong("getpgid is in no file")


def listed():
    """The probes in tracefs, but that of another program."""
    found = []
    for name in LISTS:
        with open(os.path.join(TRACEFS, name)) as file:
            found += file.read().splitlines()
    if OTHER not in [line.replace("p0:", "p:") for line in found]:
        raise Wrong("the probe of another program is gone")
    return [line for line in found if "mine/not_ours" not in line]


def add_other():
    with open(TRACEFS + "/kprobe_events", "w") as file:  # and removes all others
        file.write(OTHER + "\n")


def no_pmus():
    """Makes a sysfs without the PMUs of probes: probes are then events in tracefs."""
    top = tempfile.mkdtemp(prefix="fail_sysfs.")
    atexit.register(shutil.rmtree, top)
    os.makedirs(top + "/devices/system/cpu")
    shutil.copyfile("/sys/devices/system/cpu/online", top + "/devices/system/cpu/online")
    return top


class Traced:
    """What the sessions have in common."""

    is_plain = "--all" not in sys.argv
    program = "bpfd"

    def before(self):
        add_other()

    def after(self, run):
        super().after(run)
        try:
            left = listed()
        finally:
            open(TRACEFS + "/uprobe_events", "w").close()
        if left:
            raise Wrong("probes are left: " + "; ".join(left))


class Probes(Traced, Text):
    name = "bpfd with probes"
    words = []
    attachments = ("kprobe", "kretprobe", "uprobe", "tracepoint")

    def steps(self):
        path, offset = place()
        program = lambda h: base64.b64encode(counter(h["counts"], h.get("events"))).decode()
        load = lambda kind: lambda h: "BPF_PROG_LOAD %d count %d GPL 0 %s" % (
            kind, len(base64.b64decode(program(h))), program(h))
        key = "AAAAAA=="
        yield "counts", "BPF_CREATE_MAP 2 counts 4 8 1 0", ()
        yield "events", "BPF_CREATE_MAP 4 events 4 4 1 0", ()
        yield "ring", "BPF_OPEN_PERF_BUFFER -1 0 2", ()
        yield "put", lambda h: "BPF_UPDATE_ELEM %d %s 4 %s 4 0" % (
            h["events"], key, base64.b64encode(struct.pack("<I", h["ring"])).decode()), ("events", "ring")
        yield "load", load(2), ("counts",)
        yield "load2", load(5), ("counts",)
        yield "kprobe", "BPF_ATTACH_KPROBE {load} 0 p_fail " + FUNCTION, ("load",)
        yield "kretprobe", "BPF_ATTACH_KPROBE {load} 1 r_fail %s 0 16" % FUNCTION, ("load",)
        yield "uprobe", "BPF_ATTACH_UPROBE {load} 0 u_fail %s %d -1" % (path, offset), ("load",)
        yield "tracepoint", "BPF_ATTACH_TRACEPOINT {load2} syscalls sys_enter_getpgid", ("load2",)
        os.getpgid(0)
        yield "lookup", "BPF_LOOKUP_ELEM {counts} %s 4 8" % key, ("counts",)
        yield "poll", "PERF_READER_POLL 1 1 {ring}", ("ring",)
        yield "detach", "BPF_DETACH_KPROBE p_fail", ("kprobe",)
        yield "detach2", "BPF_DETACH_UPROBE u_fail", ("uprobe",)
        yield "detach3", "BPF_DETACH_TRACEPOINT syscalls sys_enter_getpgid", ("tracepoint",)
        # The return probe and these stay until the session ends.
        yield "kprobe2", "BPF_ATTACH_KPROBE {load} 0 p2_fail " + FUNCTION, ("load",)
        yield "uprobe2", "BPF_ATTACH_UPROBE {load} 1 u2_fail %s %d -1" % (path, offset), ("load",)

    def ask(self, run, request, handles):
        return super().ask(run, request(handles) if callable(request) else request, handles)

    def judge(self, run, got):
        fired = sum(name in got and not self.is_error(got[name]) for name in self.attachments)
        records = fired if not self.is_error(got.get("put", b"x: ret=-1\n")) else 0
        if "lookup" in got and not self.is_error(got["lookup"]):
            count = struct.unpack("<Q", base64.b64decode(got["lookup"].split()[-1]))[0]
            if count != fired:
                raise Wrong("WRONG ANSWER: %d probes fired, not %d" % (count, fired))
        if "poll" in got and not self.is_error(got["poll"]) and len(got["poll"].splitlines()) != records:
            raise Wrong("WRONG ANSWER: %r, not %d records" % (got["poll"], records))
        super().judge(run, got)

    def same(self, name, reply, expected):
        return name in ("lookup", "poll") or self.is_error(reply) == self.is_error(expected)


class TracefsProbes(Probes):
    name = "bpfd with probes in tracefs"
    words = ["--sysfs", no_pmus()]


class Defined(Traced, Messages):
    """Events that a client defines in tracefs."""

    name = "bpfd by messages with probes"
    words = []

    def steps(self):
        path, offset = place()
        u32 = lambda *numbers: struct.pack("<%dI" % len(numbers), *numbers)
        prog = u32(2, 0) + bytes(40) + bytes(96)
        write = lambda name, text: (17, string(TRACEFS + "/" + name) + u32(1) + string(text))
        load = lambda h: bpf(5, u32(2, len(counter(0)) // 8) + bytes(40) + bytes(96), pointer(counter(h["counts"])),
                             pointer(b"GPL"), *[struct.pack("<BII", 0, 0, 0)] * 4)
        identity = lambda h: struct.pack("<IIQQQQQ", 2, 0, h["id"], 1, 0, 0, 0) + bytes(80)
        yield "hello", (1, struct.pack("<HH", 1, 0)), ()
        yield "counts", bpf(0, u32(2, 4, 8, 1, 0) + bytes(52)), ()
        yield "load", load, ("counts",)
        yield "kprobe", write("kprobe_events", "p:fail/kprobe %s\n" % FUNCTION), ()
        # The kernel refuses the second of two probes of one name, and it stays that of the other program.
        yield "taken", write("kprobe_events", "p:mine/not_ours %s%%return\n" % FUNCTION), ()
        yield "uprobe", write("uprobe_events", "p:fail/uprobe %s:%#x\n" % (path, offset)), ()
        yield "id", (15, string(TRACEFS + "/events/fail/kprobe/id") + bytes(8)), ("kprobe",)
        yield "event", lambda h: (7, u32(len(identity(h))) + identity(h) + struct.pack(
            "<iiIQB", -1, 0, 0xffffffff, 8, 0) + string("")), ("id",)
        yield "bind", lambda h: (8, struct.pack("<IIQ", h["event"], 0x40042408, h["load"]) + u32(0)), ("event", "load")
        yield "enable", lambda h: (8, struct.pack("<IIQ", h["event"], 0x2400, 0) + u32(0)), ("bind",)
        os.getpgid(0)
        yield "lookup", lambda h: bpf(1, u32(h["counts"], 0) + bytes(24), pointer(u32(0)), pointer(out=8)), ("counts",)
        yield "remove", write("uprobe_events", "-:fail/uprobe\n"), ("uprobe",)

    def ask(self, run, request, handles):
        reply, ret = super().ask(run, request, handles)
        if callable(request) or request[0] != 15 or ret is None:
            return reply, ret
        return reply, int(re.search(rb"\d+\n", reply).group(0))

    def judge(self, run, got):
        if "lookup" in got and not self.is_error(got["lookup"]):
            wanted = "enable" in got and not self.is_error(got["enable"])
            if struct.pack("<Q", wanted) not in got["lookup"]:
                raise Wrong("WRONG ANSWER: %r, but %d probes fired" % (got["lookup"], wanted))
        super().judge(run, got)

    def same(self, name, reply, expected):
        return name == "lookup" or self.is_error(reply) == self.is_error(expected)


SESSIONS = [Probes, TracefsProbes, Defined]
