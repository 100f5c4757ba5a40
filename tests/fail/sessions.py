# SPDX-License-Identifier: Apache-2.0
"""Sessions that run without a board: bpfd by text and by messages, bpfd-run over it, bpfd-usb."""
import atexit
import base64
import os
import re
import struct
import shutil
import subprocess
import tempfile

from driver import Session, Wrong

BANNER = b"STARTED_BPFD\n"
BEGIN, END = b"START_BPFD_OUTPUT\n", b"END_BPFD_OUTPUT\n"
RETURN_0 = struct.pack("<QQ", 0xb7, 0x95)  # a program
PROGRAM = base64.b64encode(RETURN_0).decode()


class Ended(Exception):
    """The program has closed its output."""


def small_proc():
    """Makes a procfs with few kernel symbols, so that sessions are short, and with this process."""
    top = tempfile.mkdtemp(prefix="fail_proc.")
    atexit.register(shutil.rmtree, top)
    os.mkdir(top + "/sys")
    for name, text in (("kallsyms", "ffffffff81000000 T _text\nffffffff81000100 T schedule\n" + "".join(
            "ffffffff81%06x T name_%d\n" % (4096 + 16 * i, i) for i in range(2000))),
                       ("modules", ""), ("version", "Linux version 5.0.0\n")):
        with open(os.path.join(top, name), "w") as file:
            file.write(text)
    os.symlink("/proc/%d" % os.getpid(), "%s/%d" % (top, os.getpid()))
    return top


PROC = small_proc()


def check_end(run, is_complete, wanted=0):
    """A session that did not get everything ends with another status, and any other status has a message."""
    if run.status == wanted:
        if not is_complete:
            raise Wrong("status %d, but the session was cut: %s" % (run.status, run.err))
    elif not re.search(r"^[a-z-]+: .", run.err, re.M):
        raise Wrong("status %d without a message: %r" % (run.status, run.err))


class Steps(Session):
    """Requests one after another, each after the reply of the one before. A request that failed makes no
    object, and requests that need it are left out."""

    def steps(self):
        """Yields (name, request, names that it needs)."""
        raise NotImplementedError

    def open(self, run):
        pass

    def ask(self, run, request, handles):
        """Returns the reply, and the new handle or None."""
        raise NotImplementedError

    def is_error(self, reply):
        raise NotImplementedError

    def act(self, run):
        run.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        replies, handles, done = {}, {}, set()
        run.is_complete = False
        out = run.process.stdout
        run.out = os.fdopen(os.dup(out.fileno()), "rb")
        try:
            self.open(run)
            for name, request, needs in self.steps():
                if not done.issuperset(needs):
                    continue
                reply, handle = self.ask(run, request, handles)
                replies[name] = reply
                if not self.is_error(reply):
                    done.add(name)
                    handles[name] = handle
            run.is_complete = True
        except (Ended, BrokenPipeError):
            pass
        try:
            run.process.stdin.close()
        except BrokenPipeError:
            pass
        rest = run.out.read()
        run.out.close()
        out.close()
        if rest and run.is_complete:
            raise Wrong("output after the last reply: %r" % rest[:200])
        return replies

    def judge(self, run, got):
        for name, reply in got.items():
            if self.same(name, reply, self.expected.get(name)):
                continue
            if not self.is_error(reply):
                raise Wrong("WRONG ANSWER to %s: %r, not %r" % (name, reply[:300], self.expected[name][:300]))
        check_end(run, run.is_complete)

    def same(self, name, reply, expected):
        return reply == expected


class Text(Steps):
    name = "bpfd by text"
    program = "bpfd"
    words = ["--proc", PROC]
    commands = [
        ("version", "BPFD_VERSION", ()),
        ("hash", "BPF_CREATE_MAP 1 hash 4 8 16 0", ()),
        ("array", "BPF_CREATE_MAP 2 array 4 8 4 0", ()),
        ("update", "BPF_UPDATE_ELEM {hash} AQAAAA== 4 AQIDBAUGBwg= 8 0", ("hash",)),
        ("update2", "BPF_UPDATE_ELEM {hash} AgAAAA== 4 AQIDBAUGBwk= 8 0", ("hash",)),
        ("lookup", "BPF_LOOKUP_ELEM {hash} AQAAAA== 4 8", ("update",)),
        ("first", "BPF_GET_FIRST_KEY {array} 4 8 0", ("array",)),
        ("next", "BPF_GET_NEXT_KEY {array} AAAAAA== 4", ("array",)),
        ("dump", "BPF_GET_FIRST_KEY {hash} 4 8 1", ("update", "update2")),
        ("dump2", "BPF_GET_FIRST_KEY {array} 4 8 1", ("array",)),
        ("load", "BPF_PROG_LOAD 1 prog 16 GPL 0 " + PROGRAM, ()),
        ("load2", "BPF_PROG_LOAD 7 perf 16 GPL 0 " + PROGRAM, ()),
        ("load3", "BPF_PROG_LOAD 2 probe 16 GPL 0 " + PROGRAM, ()),
        ("attach", "BPF_ATTACH_PERF_EVENT {load2} 1 0 1000000 0 -1 0 -1", ("load2",)),
        ("ring", "BPF_OPEN_PERF_BUFFER -1 0 2", ()),
        ("lost", "PERF_READER_LOST {ring}", ("ring",)),
        ("poll", "PERF_READER_POLL 1 1 {ring}", ("ring",)),
        ("close", "BPF_CLOSE_PERF_EVENT_FD {ring}", ("ring",)),
        ("ksym", "GET_KSYM_ADDR schedule", ()),
        ("uprobe", "BPF_ATTACH_UPROBE {load3} 0 p_fail /bin/true 64 -1", ("load3",)),
        ("detach", "BPF_DETACH_UPROBE p_fail", ("uprobe",)),
        ("usym", "GET_USYM_ADDR {self} malloc libc.so.6", ()),
        ("comm", "COMM_FOR_PID {self}", ()),
        ("clear", "BPF_CLEAR_MAP {hash} 4", ("hash", "update", "update2")),
        ("delete", "BPF_DELETE_ELEM {hash} AQAAAA== 4", ("clear",)),
        ("kallsyms", "GET_KALLSYMS", ()),
        ("categories", "GET_TRACE_EVENTS_CATEGORIES /sys/kernel/tracing", ()),
        ("unknown", "NO_SUCH_COMMAND", ()),
    ]

    def steps(self):
        return iter(self.commands)

    def line(self, run):
        line = run.out.readline()
        if not line.endswith(b"\n"):
            raise Ended()
        return line

    def open(self, run):
        if self.line(run) != BANNER:
            raise Wrong("no banner")

    def ask(self, run, request, handles):
        run.process.stdin.write(request.format(self=os.getpid(), **handles).encode() + b"\n")
        lines = []
        if self.line(run) != BEGIN:
            raise Wrong("no start of a reply")
        while not lines or lines[-1] != END:
            lines.append(self.line(run))
        body = b"".join(lines[:-1])
        ret = re.match(rb"[a-z_]+: ret=(\d+)\n", body)
        return body, ret and int(ret.group(1))

    def is_error(self, reply):
        # A dump may break off with an error.
        return bool(re.search(rb"^[A-Za-z_]+: ret=-\d+\n\Z|^Open failed, ignoring\n\Z|\ACommand not recognized",
                              reply, re.M))

    def same(self, name, reply, expected):
        if name in ("hash", "array", "load", "load2", "load3", "ring", "attach", "uprobe"):
            # Handles are the smallest free numbers, so they depend on what has failed.
            return self.is_error(reply) == self.is_error(expected)
        if name == "version":  # "?" if the CPUs are unknown
            return reply.replace(b" ? ", b" %s " % expected.split()[4]) == expected
        if name == "dump":  # the order differs for each map
            lines = lambda text: sorted(text.splitlines())
            return lines(reply) == lines(expected)
        if name in ("poll", "lost"):
            return self.is_error(reply) == self.is_error(expected)
        return reply == expected


with open("/sys/devices/system/cpu/online") as online:
    ONLINE = online.read().strip()


def string(text):
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def pointer(data=b"", out=0):
    return struct.pack("<BI", 1, out) + struct.pack("<I", len(data)) + data


def bpf(command, attr, *pointers):
    return 2, struct.pack("<II", command, len(attr)) + attr + b"".join(pointers)


class Messages(Steps):
    name = "bpfd by messages"
    program = "bpfd"
    words = ["--proc", PROC]

    def is_impossible(self, report):
        if report["errno"] not in ("ENOENT", "EACCES"):
            return False
        # An entry of a directory that exists and may be looked at. Without the file of a PMU there is no such PMU.
        return (report["call"] == "newfstatat" and report["what"][0] != "/" or
                re.search("/event_source/devices/[ku]probe/type$", report["what"]))

    def steps(self):
        u32 = lambda *numbers: struct.pack("<%dI" % len(numbers), *numbers)
        key, value = u32(1), struct.pack("<Q", 77)
        element = lambda h: u32(h, 0) + bytes(24)
        batch = lambda h: bytes(32) + u32(4, h) + bytes(16)
        prog = lambda kind: u32(kind, 2) + bytes(40) + bytes(96)
        load = lambda kind: bpf(5, prog(kind), pointer(RETURN_0), pointer(b"GPL"),
                                *[struct.pack("<BII", 0, 0, 0)] * 4)
        event = struct.pack("<IIQQQQQ", 1, 0, 9, 1, 0, 0, 0) + bytes(80)  # it never fires
        yield "hello", (1, struct.pack("<HH", 1, 0)), ()
        yield "hash", bpf(0, u32(1, 4, 8, 16, 0) + bytes(52)), ()
        yield "array", bpf(0, u32(2, 4, 8, 4, 1024) + bytes(52)), ()
        yield "ringbuf", bpf(0, u32(27, 0, 0, 4096, 0) + bytes(52)), ()
        yield "update", lambda h: bpf(2, element(h["hash"]), pointer(key), pointer(value)), ("hash",)
        yield "lookup", lambda h: bpf(1, element(h["hash"]), pointer(key), pointer(out=8)), ("update",)
        yield "batch", lambda h: bpf(24, batch(h["array"]), struct.pack("<BII", 0, 0, 0), pointer(out=4),
                                     pointer(out=16), pointer(out=32)), ("array",)
        yield "walk", lambda h: (5, u32(h["array"]) + b"\0" + u32(0, 4096)), ("array",)
        yield "sync", lambda h: (6, u32(h["array"]) + b"\1" + u32(1) + struct.pack("<IQ", 8, 5)), ("array",)
        yield "synced", lambda h: (6, u32(h["array"]) + b"\1" + u32(0)), ("sync",)
        yield "socket", load(1), ()
        yield "perf", load(7), ()
        yield "info", lambda h: (3, u32(h["hash"], 80) + bytes(80) + b"\0"), ("hash",)
        yield "event", (7, u32(len(event)) + event + struct.pack("<iiIQB", -1, 0, 0xffffffff, 8, 0) + string("")), ()
        yield "bind", lambda h: (8, struct.pack("<IIQ", h["event"], 0x40042408, h["perf"]) + u32(0)), ("event", "perf")
        yield "ring", lambda h: (9, struct.pack("<IQQ", h["event"], 4096, 1 << 20)), ("event",)
        yield "ring2", lambda h: (9, struct.pack("<IQQ", h["ringbuf"], 4096, 1 << 20)), ("ringbuf",)
        yield "stat", (12, string("/proc/version") + u32(0)), ()
        yield "access", (13, string("/proc/version") + u32(4)), ()
        yield "link", (14, string("/sys/class/net/lo")), ()
        yield "read", (15, string("/proc/version") + bytes(8)), ()
        yield "kallsyms", (15, string("/proc/kallsyms") + bytes(8)), ()
        yield "elf", (15, string("/bin/true") + bytes(8)), ()
        yield "list", (16, string("/sys/kernel/mm")), ()
        yield "pin", lambda h: bpf(6, bytes(8) + u32(h["hash"]) + bytes(4), pointer(b"/sys/fs/bpf/fail")), ("none",)
        yield "btf", (19, b""), ()
        yield "unknown", (99, b""), ()

    def open(self, run):
        run.process.stdin.write(b"BPFD_RPC 1\n")
        wanted = BANNER + BEGIN + b"bpfd_rpc: ret=0\n" + END
        got = b""
        while len(got) < len(wanted):
            part = run.out.read(len(wanted) - len(got))
            if not part:
                raise Ended()
            got += part
            # The banner alone may be followed by a refusal.
            if not wanted.startswith(got):
                raise Wrong("no binary session: %r" % got)

    def exactly(self, run, size):
        data = run.out.read(size)
        if len(data) < size:
            raise Ended()
        return data

    def ask(self, run, request, handles):
        op, payload = request(handles) if callable(request) else request
        run.tag = getattr(run, "tag", 0) + 1
        run.process.stdin.write(struct.pack("<IIHH", len(payload), run.tag, op, 0) + payload)
        parts = b""
        while True:
            size, tag, got_op, flags = struct.unpack("<IIHH", self.exactly(run, 12))
            data = self.exactly(run, size)
            if got_op == 11:
                continue
            if (tag, got_op, flags & 1) != (run.tag, op, 1):
                raise Wrong("a reply to something else: operation %d, tag %d, flags %d" % (got_op, tag, flags))
            ret = struct.unpack_from("<i", data)[0]
            if ret < 0:
                return data, None
            parts += data
            if not flags & 2:
                return parts, ret

    def is_error(self, reply):
        return struct.unpack_from("<i", reply)[0] < 0

    def same(self, name, reply, expected):
        if name in ("hash", "array", "ringbuf", "socket", "perf", "event"):
            return self.is_error(reply) == self.is_error(expected)
        if name == "hello":  # its clocks differ, and the online CPUs may be unknown
            known = reply.replace(b"\1\0\0\0?", string(ONLINE))
            return known[:39] == expected[:39] and known[63:] == expected[63:]
        if name in ("info", "btf"):  # ids differ
            return self.is_error(reply) == self.is_error(expected)
        if name == "stat":
            return len(reply) == len(expected) and reply[:60] == expected[:60]
        if name == "list":  # its times differ
            return len(reply) == len(expected)
        return reply == expected


class Command(Session):
    """A program that runs by itself. Its output is right, or its status and a message say that it is not."""

    wanted = 0
    input = b""
    is_prefix = True  # if it fails, it may have written the start of its output

    def act(self, run):
        run.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            run.process.stdin.write(self.input)
            run.process.stdin.close()
        except BrokenPipeError:
            pass
        got = run.process.stdout.read()
        run.process.stdout.close()
        return got

    def clean(self, output):
        return output

    def judge(self, run, got):
        got, expected = self.clean(got), self.clean(self.expected)
        is_right = got == expected
        if run.status == self.wanted:
            if not is_right:
                raise Wrong("WRONG ANSWER with status %d: %r, not %r; %s" % (
                    run.status, got[:300], expected[:300], run.err))
            return
        if not expected.startswith(got):
            raise Wrong("status %d, and the output is no prefix: %r, not %r" % (
                run.status, got[:300], expected[:300]))
        check_end(run, False, self.wanted)
