#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the inputs that searches of the fuzzers start with, tests/fuzz/corpus/NAME/*.

After a change here, run it in the project's directory and commit the files that it writes."""
import base64
import os
import struct

CORPUS = "tests/fuzz/corpus"


def put(fuzzer, name, data):
    directory = os.path.join(CORPUS, fuzzer)
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def u8(n):
    return struct.pack("<B", n)


def u16(n):
    return struct.pack("<H", n)


def u32(*numbers):
    return b"".join(struct.pack("<I", n & 0xFFFFFFFF) for n in numbers)


def u64(*numbers):
    return b"".join(struct.pack("<Q", n & 0xFFFFFFFFFFFFFFFF) for n in numbers)


def counted(data):
    data = data if isinstance(data, bytes) else data.encode()
    return u32(len(data)) + data


# Text commands: PROTOCOL.md, part 1. Handles count from 3. The fake kernel refuses programs with an
# odd first byte.
HASH = "BPF_CREATE_MAP 1 m 4 8 16 0\n"
PROGRAM = "BPF_PROG_LOAD 1 p 16 GPL v2 0 lAAAAAAAAACVAAAAAAAAAA==\n"
REFUSED = "BPF_PROG_LOAD 1 p 16 GPL v2 0 twAAAAAAAACVAAAAAAAAAA==\n"
TEXT = {
    "version": "BPFD_VERSION\n\nBPFD_VERSION \r\nNO_SUCH\n",
    "map": HASH + "BPF_UPDATE_ELEM 3 AQAAAA== 4 KgAAAAAAAAA= 8 0\nBPF_LOOKUP_ELEM 3 AQAAAA== 4 8\n"
           "BPF_DELETE_ELEM 3 AQAAAA== 4\nBPF_CLEAR_MAP 3 4\n",
    "dump": HASH + "BPF_GET_FIRST_KEY 3 4 8 1\nBPF_GET_FIRST_KEY 3 4 8 0\nBPF_GET_NEXT_KEY 3 AQAAAA== 4\n",
    "dialects": "BPF_CREATE_MAP 2 4 8 16 0\nBPF_CREATE_MAP 5 __none__ 4 8 16 0 1\n"
                "BPF_PROG_LOAD 1 8 GPL 0 lQAAAAAAAAA=\nBPF_PROG_LOAD 1 n 8 GPL 4.9 lAAAAAAAAAA=\n",
    "percpu": "BPF_CREATE_MAP 6 p 4 8 16 0\nBPF_GET_FIRST_KEY 3 4 32 1\nBPF_LOOKUP_ELEM 3 AQAAAA== 4 32\n",
    "rings": "BPF_CREATE_MAP 4 r 4 4 4 0\nBPF_OPEN_PERF_BUFFER -1 0 1\n"
             "BPF_UPDATE_ELEM 3 AAAAAA== 4 BAAAAA== 4 0\nPERF_READER_POLL 0 1 4\nPERF_READER_LOST 4\n"
             "PERF_READER_POLL -1 2 4 4\nBPF_CLOSE_PERF_EVENT_FD 4\n",
    "kprobe": PROGRAM + "BPF_ATTACH_KPROBE 3 0 e do_exit\nBPF_ATTACH_KPROBE 3 1 r do_exit 4 8\n"
              "BPF_DETACH_KPROBE e\nBPF_DETACH_KPROBE r\n",
    "uprobe": PROGRAM + "BPF_ATTACH_UPROBE 3 0 u /bin/a program 0x1000 -1\nBPF_DETACH_UPROBE u\n",
    "events": PROGRAM + "BPF_ATTACH_TRACEPOINT 3 sched sched_switch\nBPF_DETACH_TRACEPOINT sched sched_switch\n"
              "BPF_ATTACH_PERF_EVENT 3 1 0 0 99 -1 0 -1\nBPF_CLOSE_PERF_EVENT_FD 4\n",
    "load": HASH + "BPF_PROG_LOAD 1 p 16 GPL 0 %s\n" % base64.b64encode(
        struct.pack("<BBhiBBhi", 0x18, 0x11, 0, 3, 0, 0, 0, 0)).decode() + REFUSED,
    "ksym": "GET_KSYM_NAME 0xffffffff81000010\nGET_KSYM_ADDR _text\nGET_KALLSYMS\n",
    "usym": "GET_USYM_NAME 42 0x400080 1\nGET_USYM_ADDR 42 main /bin/program\n",
    "files": "GET_KPROBES_BLACKLIST /sys/kernel/tracing\nGET_TRACE_EVENTS_CATEGORIES /sys/kernel/tracing\n"
             "GET_TRACE_EVENTS /sys/kernel/debug/tracing sched\nCOMM_FOR_PID 42\nexit\n",
    "rpc": "BPFD_RPC 1\n" + "\0" * 12,
}
for name, text in TEXT.items():
    put("text", name, text)


# Binary requests: PROTOCOL.md, part 3. The fuzzer's text commands make these handles: 3 a hash map, 4
# an array that can be mapped, 5 a ring buffer, 6 a program, 7 a perf ring. The next handle is 8.
def message(op, payload):
    return u8(op) + u16(len(payload)) + payload


def bpf(command, attr, *pointers):
    return message(2, u32(command) + counted(attr) + b"".join(pointers))


def given(data):
    return u8(1) + u32(0) + counted(data)


def room(size):
    return u8(1) + u32(size) + counted(b"")


def control(request, argument, data=b""):
    return message(8, u32(8, request) + u64(argument) + counted(data))


EVENT = message(7, counted(u32(1, 112) + u64(10) + bytes(96)) + u32(-1, 0, -1) + u64(0) + u8(0) + counted(b""))
ABSENT = u8(0) + u32(0) + counted(b"")
PATHS = ["/sys/kernel/btf/vmlinux", "/proc/42/comm", "/proc/42/root/bin/program", "/proc/kallsyms"]
RPC = {
    "hello": message(1, u16(1) + u16(0)),
    "create": bpf(0, u32(1, 4, 8, 16, 0)) + message(4, u32(7)),
    "lookup": bpf(1, u32(3, 0) + u64(0, 0, 0), given(u32(1)), room(8)),
    "update": bpf(2, u32(3, 0) + u64(0, 0, 0), given(u32(1)), given(u64(2))),
    "delete": bpf(3, u32(3, 0) + u64(0), given(u32(1))),
    "next": bpf(4, u32(3, 0) + u64(0, 0), ABSENT, room(4)) + bpf(4, u32(3, 0) + u64(0, 0), given(u32(1)), room(4)),
    "load": bpf(5, u32(1, 1) + u64(0, 0) + u32(1, 64) + u64(0) + u32(0, 0) + b"name\0\0\0\0" + u64(0) + u32(0, 0),
                given(u64(0x95)), given("GPL"), room(64)),
    "loads": bpf(5, u32(1, 2) + u64(0, 0) + u32(0, 0), given(u32(0x1118, 3, 0, 0)), given("GPL"), ABSENT) + bpf(15, u32(8)),
    "old": message(15, counted("/proc/42/root/bin/program") + u64(0)) + message(12, counted("/proc/42/root/bin/link") + u32(0))
           + message(12, counted("/proc/42/root/lib/secret") + u32(0)) + message(15, counted("/proc/42/root/lib/secret") + u64(0)) + message(15, counted("/proc/42/root/tmp/perf-42.map") + u64(9)),
    "batch": bpf(24, u64(0, 0, 0, 0) + u32(2, 3) + u64(0, 0), ABSENT, room(4), room(8), room(16)),
    "cut": bpf(1, u32(3, 0) + u64(0) + b"\xa5" * 6, ABSENT, ABSENT) + bpf(7, b"\xa5" * 6, ABSENT)
           + bpf(10, u8(3), ABSENT, ABSENT, ABSENT, ABSENT) + bpf(0, u32(2, 4, 8) + b"\xff" * 3),
    "freeze": bpf(22, u32(4)),
    "pin": bpf(6, u64(0) + u32(3, 0), given("/sys/fs/bpf/map")) + bpf(7, u64(0) + u32(0, 0), given("/sys/fs/bpf/map")),
    "ids": bpf(11, u32(0, 0, 0)) + bpf(14, u32(1, 0, 0)) + bpf(19, u32(1, 0, 0)),
    "info": message(3, u32(3) + counted(bytes(80)) + u8(0)),
    "lists": message(3, u32(6) + counted(bytes(16) + u32(8, 16) + bytes(208)) + u8(2) + u16(32) + u32(16) + u16(24) + u32(8))
             + message(3, u32(6) + counted(bytes(232)) + u8(1) + u16(33) + u32(0)) + message(3, u32(7) + counted(b"") + u8(0)),
    "test": bpf(10, u32(6, 0, 8, 8) + u64(0, 0) + u32(1, 0, 0, 0) + u64(0, 0), given(bytes(8)), room(8), ABSENT, ABSENT),
    "perfmap": bpf(0, u32(4, 4, 4, 4, 0)) + EVENT + bpf(2, u32(8, 0) + u64(0, 0, 0), given(u32(0)), given(u32(9))),
    "walk": message(5, u32(3) + u8(1) + counted(u32(1)) + u32(4096)) + message(5, u32(3) + u8(0) + counted(b"") + u32(64)),
    "sync": message(6, u32(4) + u8(1) + u32(0)) + message(6, u32(4) + u8(0) + u32(1) + u32(8) + u64(5)),
    "perf": EVENT + message(9, u32(8) + u64(4096, 4096)) + message(10, u32(8) + u64(8192)) + message(4, u32(8)),
    "ioctls": EVENT + control(0x2400, 0) + control(0x2401, 0) + control(0x2402, 1) + control(0x2403, 0)
              + control(0x40042409, 1) + control(0x40082404, 0, u64(9)) + control(0x80082407, 0, u64(0))
              + control(0x2405, -1) + control(0x2405, 8) + control(0x40082406, 0, b"common_pid > 1")
              + control(0x40042408, 6) + control(0xC008240A, 0, u32(1, 0, 0)) + control(0x24FF, 0),
    "programs": bpf(10, u32(6, 0, 0, 0) + u64(0, 0) + u32(1, 0), ABSENT, ABSENT)
                + bpf(17, u64(0) + u32(6, 0), given("sched_switch")) + bpf(28, u32(6, 0, 41, 0))
                + message(3, u32(6) + counted(bytes(232)) + u8(0)) + message(3, u32(9) + counted(bytes(56)) + u8(0)),
    "types": bpf(18, u64(0, 0) + u32(8, 0, 0), given(bytes(8)), ABSENT) + bpf(19, u32(1, 0, 0)) + bpf(13, u32(1, 0, 0)),
    "kprobe": message(7, counted(u32(7, 112) + bytes(104)) + u32(-1, 0, -1) + u64(0) + u8(1) + counted("/bin/x")),
    "ring": message(9, u32(5) + u64(4096, 4096)) + message(10, u32(5) + u64(8192)),
    "stat": b"".join(message(12, counted(path) + u32(0)) for path in PATHS),
    "outside": message(15, counted("/proc/42/root/lib/secret") + u64(0)) + message(16, counted("/proc/42/root/lib")),
    "access": message(13, counted(PATHS[0]) + u32(4)) + message(14, counted("/proc/42/exe")),
    "read": b"".join(message(15, counted(path) + u64(0)) for path in PATHS),
    "list": message(16, counted("/proc/42")) + message(16, counted("/sys/kernel")),
    "write": message(17, counted("/sys/kernel/tracing/kprobe_events") + u32(1) + counted("p:a/b f\n")),
    "follow": message(18, counted("/sys/kernel/tracing/trace_pipe") + u64(4096)),
    "btf": message(19, b""),
    "remove": message(20, counted("/sys/fs/bpf/map") + u32(0)) + message(20, counted("/sys/fs/bpf/dir") + u32(1))
              + message(20, counted("/proc/42/comm") + u32(0)),
    "mkdir": message(21, counted("/sys/fs/bpf/dir") + u32(0o700)),
    "rename": message(22, counted("/sys/fs/bpf/a") + counted("/sys/fs/bpf/b") + u32(1))
              + message(22, counted("/sys/fs/bpf/a") + counted("/proc/42/comm") + u32(0)),
    "hash": b"".join(message(23, counted(path)) for path in PATHS),
    "ring-sync": message(9, u32(5) + u64(4096, 4096)) + message(24, u32(5)) + message(24, u32(3)) + message(24, u32(99)),
    "log": b"".join(message(18, counted("/dev/kmsg") + u64(8192) + u32(start)) for start in (0, 1, 2, 9)) + message(24, u32(8)),
}
for name, messages in RPC.items():
    put("rpc", name, u8(2 if name == "old" else 0) + messages)
put("rpc", "raw", u8(1) + u32(4, 1) + u16(1) + u16(0) + u16(1) + u16(0))


# Transfers of the link: PROTOCOL.md, part 2.
RECEIVE = u8(7)  # the action "receive a transfer" of both fuzzers


def frames(*them):
    return RECEIVE + u8(1) + u8(len(them) - 1) + b"".join(u8(kind) + u8(len(data)) + data for kind, data in them)


HELLO = b"BPFD" + u8(1) + u8(0) + u16(0) + u32(16384) + u64(0x6E6F6E6365303031) + u32(15000)
REPLY = HELLO + u32(262144) + u16(0) + b"0.1.0"
RAW = RECEIVE + u8(0)
SEND = u8(0) + u16(100)
put("board_link", "session", frames((1, HELLO)) + SEND + frames((3, b"exit\n"), (5, b"")) + u8(1) + u8(9) + SEND + u8(3) + SEND)
put("board_link", "ping", frames((1, HELLO), (9, b""), (11, b"x")) + SEND + u8(2) + u16(60000))
put("board_link", "reset", frames((1, HELLO)) + frames((8, u16(8) + u64(0) + b"bye")) + frames((1, HELLO)))
put("board_link", "window", frames((1, HELLO)) + frames(*[(3, b"d" * 250)] * 2) + u8(1) + u8(249) + SEND + u8(4))
put("board_link", "raw", RAW + u16(32) + u8(1) + u8(0) + u16(24) + u32(0) + HELLO)
put("board_link", "version", frames((1, b"BPFD" + u8(9) + HELLO[5:])) + SEND)
put("board_link", "ends", frames((1, HELLO)) + u8(6) + SEND + frames((1, HELLO)) + u8(5) + SEND)
NEW = HELLO[:5] + u8(1) + HELLO[6:]
ASK = u8(9) + u8(1)
# The fake gate accepts any signature that begins with an "s".
put("board_link", "key", ASK + frames((1, NEW)) + SEND + frames((13, b"k" * 32 + b"s" * 64)) + SEND
    + frames((3, b"exit\n"), (5, b"")) + u8(1) + u8(9) + SEND + u8(3) + SEND)
put("board_link", "wrong_keys", ASK + frames((1, NEW)) + (SEND + frames((13, b"k" * 96))) * 6 + SEND)
put("board_link", "no_key", ASK + frames((1, NEW)) + SEND + u8(2) + u16(60000) + SEND + u8(9) + u8(2)
    + frames((1, NEW)) + SEND)
put("board_link", "data_for_a_key", ASK + frames((1, NEW)) + SEND + frames((3, b"exit\n")) + SEND)
CHALLENGE = NEW + b"n" * 32 + u8(6) + u8(1) + b"board"
put("host_link", "key", SEND + frames((12, CHALLENGE)) + SEND + frames((12, CHALLENGE)) + SEND
    + frames((2, REPLY), (3, b"STARTED_BPFD\n")) + u8(3) + SEND)
put("host_link", "refused", SEND + frames((12, CHALLENGE)) + SEND
    + frames((8, u16(9) + u64(0x6E6F6E6365303031) + b"no")))
put("host_link", "data_for_a_key", SEND + frames((12, CHALLENGE)) + frames((3, b"STARTED_BPFD\n")))
put("host_link", "session", SEND + frames((2, REPLY), (3, b"STARTED_BPFD\n"), (4, b"note")) + SEND + u8(3) + SEND
    + frames((6, u64(100)), (7, u8(0) + u8(0) + u64(100, 13))))
put("host_link", "reset", frames((2, REPLY)) + frames((8, u16(3) + u64(0x6E6F6E6365303031) + b"lease")))
put("host_link", "pong", frames((2, REPLY)) + u8(1) + u16(3000) + SEND + frames((10, b""), (11, b"xx")) + u8(2) + u8(1) + u8(4))
put("host_link", "version", frames((8, u16(2) + u64(0x6E6F6E6365303031) + b"the board speaks 2.0")))
put("host_link", "retry", u8(1) + u16(60000) + SEND + frames((2, REPLY)) + u8(5))
put("host_link", "raw", RAW + u16(50) + u8(2) + u8(0) + u16(len(REPLY)) + u32(0) + REPLY)


# Lists and files of keys. The private key is made from the seed 0, 1, 2 ... 31.
def ssh(*strings):
    return b"".join(struct.pack(">I", len(part)) + part for part in strings)


PUBLIC = bytes.fromhex("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8")
BLOB = ssh(b"ssh-ed25519", PUBLIC)
LINE = b"ssh-ed25519 " + base64.b64encode(BLOB)
SECRET = bytes(8) + ssh(b"ssh-ed25519", PUBLIC, bytes(range(32)) + PUBLIC, b"me") + bytes(range(1, 4))


def private(cipher=b"none", secret=SECRET):
    text = base64.b64encode(b"openssh-key-v1\0" + ssh(cipher, b"none", b"") + struct.pack(">I", 1)
                            + ssh(BLOB, secret)).decode()
    lines = [text[at:at + 70] for at in range(0, len(text), 70)]
    return "\n".join(["-----BEGIN OPENSSH PRIVATE KEY-----", *lines, "-----END OPENSSH PRIVATE KEY-----", ""])


put("keys", "list", b"# keys\n\n" + LINE + b" me\nread-only " + LINE + b"\nfrom=\"a b\" " + LINE + b"\n")
put("keys", "others", b"ssh-rsa AAAA\nsk-ssh-ed25519@openssh.com AAAA\nhello\n" + LINE[:40] + b"\n")
put("keys", "private", private())
put("keys", "encrypted", private(b"aes256-ctr"))
put("keys", "blob", BLOB)


# Replies of a board: actions of the tool, 0xff, messages of the board.
def reply(ret, payload=b"", flags=0):
    return u8(flags) + u16(4 + len(payload)) + u32(ret) + payload


def data(handle, position, payload):
    return u8(4) + u16(12 + len(payload)) + u32(handle) + u64(position) + payload


def made(handle, attr, rest=b"", **what):
    return reply(handle, counted(bytes(attr)) + rest + u32(what["kind"], *what.get("map", ())))


def btf(types, strings):
    return struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings)) + types + strings


# 1 int, 2 struct pair { int a; int b; }, 3 a prototype, 4 the function f.
STRINGS = b"\0int\0pair\0a\0b\0f\0"
TYPES = btf(u32(1, 1 << 24, 4, 32) + u32(5, 4 << 24 | 2, 8, 10, 1, 0, 12, 1, 32) + u32(0, 13 << 24, 1) + u32(14, 12 << 24, 3), STRINGS)
BTF_INFO = u64(0) + u32(len(TYPES), 5) + u64(0) + u32(0, 0)
# The board's answers when these types are fetched by their id.
KNOWN = reply(5) + reply(0, counted(BTF_INFO) + counted(b"\0")) + reply(0, counted(BTF_INFO) + counted(TYPES))
PROG = u32(1, 9) + bytes(8) + u32(0, 16) + bytes(104) + u32(5, 8) + u64(0) + u32(2, 0) + bytes(80)
STAT = bytes(100)
ENTRY = counted("mm") + STAT
MAP = {"kind": 1}
SAMPLE = u32(9) + u16(0) + u16(16) + bytes(8)
REPLIES = {
    "stat": u8(0) + u8(0xFF) + reply(0, STAT) + reply(0),
    "link": u8(5) + u8(0xFF) + reply(1, counted("mnt:[1]")) + reply(1, counted("mnt:[1]")),
    "list": u8(10) + u8(0xFF) + reply(0, u32(1) + ENTRY, 2) + reply(0, u32(1) + counted("zz") + STAT),
    "open": u8(15) + u8(0xFF) + reply(0, counted("0 A x\n"), 2) + reply(0, counted("1 T y\n")),
    "events": u8(20) + u8(0xFF) + reply(0, counted("sched:sched_switch\n")),
    "write": u8(25) + u8(0xFF) + reply(3),
    "walk": u8(1) + u8(0xFF) + made(3, 72, map=(1, 4, 8, 16, 0), **MAP) + reply(2, u8(1) + counted(u32(1) + u64(5) + u32(2) + u64(6))),
    "array": u8(6) + u8(0xFF) + made(3, 72, map=(2, 4, 8, 16, 1024), **MAP) + reply(0, u32(1) + u32(0) + counted(bytes(128)))
             + reply(0, u32(1) + u32(8) + counted(u64(7))),
    "ringbuf": u8(11) + u8(0xFF) + made(3, 72, map=(27, 0, 0, 4096, 0), **MAP) + reply(0) + data(3, 0, u32(8, 0) + u64(1))
               + reply(-2) * 16 + data(3, 16, u32(8, 0) + u64(2)),
    "stacks": u8(16) + u8(0xFF) + made(3, 72, map=(7, 4, 16, 16, 0), **MAP)
              + reply(2, u8(1) + counted((u32(1) + bytes(16)) + (u32(2) + bytes(16)))) + reply(-2) * 8
              + reply(2, u8(0) + counted((u32(1) + bytes(16)) + (u32(2) + bytes(16)))) + reply(1, u8(1) + counted(u32(3) + bytes(16))),
    "keys": u8(1) + u8(0xFF) + made(3, 72, map=(1, 4, 8, 16, 0), **MAP) + reply(1, u8(0) + counted(u32(1) + u64(5)))
            + reply(1, u8(1) + counted(u32(2) + u64(6))) + reply(-2) * 3 + reply(0, counted(bytes(32)) + counted(u64(9))) * 12
            + reply(0, counted(bytes(24) + bytes(8) + u32(2, 3) + u64(0, 0)) + counted(u32(7)) + counted(bytes(8)) + counted(bytes(16)))
            + reply(0, counted(bytes(80))),
    "load": u8(2) + u8(0xFF) + made(3, 128, counted("log\0"), kind=2) + made(4, 24, kind=8) + reply(0, counted(bytes(80)))
            + reply(0, counted(bytes(232)) + counted(bytes(64)) + counted(bytes(16))) * 2,
    "btf": u8(3) + u8(0xFF) + reply(0, u32(1, 100) + u8(1) + counted("vmlinux") + u32(2, 50) + u8(0) + counted(""))
           + reply(0, counted(bytes(100))) * 2,
    "perf": u8(4) + u8(0xFF) + reply(5) + reply(0) + data(5, 0, SAMPLE)
            + reply(0, counted(u64(9))) + reply(0, counted(u32(2, 1, 7, 0))),
    "events-more": u8(4) + u8(0) + u8(0xFF) + reply(5) + reply(0) + data(5, 0, SAMPLE * 200) + reply(0, STAT) + data(5, 3200, SAMPLE),
    "change": u8(25) + u8(0xFF) + reply(0) * 4,
    "hash": u8(30) + u8(0xFF) + reply(0, u64(4) + counted(bytes(32))),
    "log": u8(35) + u8(0xFF) + reply(6) + data(6, 0, u32(20) + b"6,1,5,-;first line\n" + u32(18) + b"4,2,9,-;second\\n\n")
           + reply(0) + reply(0, counted("Y\n")),
    "format": u8(40) + u8(0xFF) + reply(0, counted("name: b\nID: 1\nformat:\n"
              "\tfield:int pid;\toffset:0;\tsize:4;\tsigned:1;\n\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;\n\n"
              "print fmt: \"%d\", REC->pid\n")),
    "functions": u8(45) + u8(0xFF) + reply(0, counted("vfs_read\nprobe [module]\nffffffff81000000 vfs_write\n")),
    "module": u8(50) + u8(0xFF) + reply(0, counted(TYPES)) + reply(0, counted(btf(b"", b"more\0"))),
    "cpus": u8(55) + u8(0xFF) + reply(0, counted("0-3\n")) * 2,
    "maps": u8(60) + u8(0xFF) + reply(0, counted("400000-401000 r-xp 00000000 08:01 7 /bin/program\n")),
    "map-types": u8(1) + u8(0xFF) + made(3, 72, map=(1, 4, 8, 16, 0), **MAP) + reply(0, u8(1) + counted(b"")) + reply(-2) * 13
                 + reply(0, counted(u32(1, 7, 4, 8, 16, 0) + bytes(40) + u32(5, 1, 2, 0))) + KNOWN,
    "functions-types": u8(2) + u8(0xFF) + made(3, 128, counted("log\0"), kind=2) + made(4, 24, kind=8)
                       + reply(0, counted(PROG) + counted(bytes(16)) + counted(bytes(16)) + counted(u32(0, 4, 1, 4))) + KNOWN
                       + reply(0, counted(bytes(80))) * 2,
    "btf-types": u8(3) + u8(0xFF) + reply(0, u32(5, len(TYPES)) + u8(0) + counted("")) + reply(6)
                 + KNOWN[len(reply(5)):] + reply(0, counted(bytes(100))) * 2,
    "raw": u8(0) + u8(0xFF) + u8(8) + u32(4, 1) + u16(1) + u16(1) + u32(0),
}
for name, text in REPLIES.items():
    put("replies", name, text)


# An ELF file with one function and one USDT probe.
def elf(wide=True, order="<"):
    word = "Q" if wide else "I"
    names = b"\0main\0probe_semaphore\0"
    sections = b"\0.symtab\0.strtab\0.shstrtab\0.note.stapsdt\0.stapsdt.base\0"
    base, head, segment = 0x400000, 64 if wide else 52, 56 if wide else 32
    pack = lambda form, *numbers: struct.pack(order + form, *numbers)

    def symbol(name, value, size, info, section):
        if wide:
            return pack("IBBHQQ", name, info, 0, section, value, size)
        return pack("IIIBBH", name, value, size, info, 0, section)

    symbols = symbol(0, 0, 0, 0, 0) + symbol(1, base + 0x80, 32, 0x12, 1) + symbol(6, base + 0x90, 2, 0x11, 1)
    place = pack("3" + word, base + 0x80, base + 0x100, base + 0x90)
    note = pack("III", 8, len(place) + 8, 3) + b"stapsdt\0" + place + b"a\0b\0c\0\0\0"
    body, offsets = b"", []
    for part in (symbols, names, sections, note):
        offsets.append(head + segment + len(body))
        body += part + bytes(-len(part) % 8)
    table = head + segment + len(body)

    def section(name, kind, offset, size, link=0, info=0, entry=0, address=0):
        return pack("II4" + word + "II2" + word, name, kind, 0, address, offset, size, link, info, 1, entry)

    headers = section(0, 0, 0, 0) + section(1, 2, offsets[0], len(symbols), 2, 1, 24 if wide else 16)
    headers += section(9, 3, offsets[1], len(names)) + section(17, 3, offsets[2], len(sections))
    headers += section(27, 7, offsets[3], len(note)) + section(41, 1, 0, 1, 0, 0, 0, base + 0x100)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    start = ident + pack("HHI3" + word + "I6H", 2, 62 if wide else 40, 1, base + 0x80, head, table, 0, head, segment, 1,
                         64 if wide else 40, 6, 3)
    size = table + len(headers)
    if wide:
        start += pack("IIQQQQQQ", 1, 5, 0, base, base, size, 0x1000, 0x1000)
    else:
        start += pack("IIIIIIII", 1, 0, base, base, size, 0x1000, 5, 0x1000)
    return start + body + headers


put("elf", "elf64", u64(0x80) + elf())
put("elf", "elf32", u64(0x80) + elf(False))
put("elf", "elf32be", u64(0x400080) + elf(False, ">"))
MAPS = {
    "program": "400000-401000 r-xp 00000000 08:01 7                          /bin/program\n",
    "more": "400000-401000 r-xp 00000000 08:01 7 /bin/program\n401000-402000 rw-p 00001000 08:01 7 /bin/program\n"
            "7fff00001000-7fff00002000 r-xp 00000000 00:00 0 [vdso]\n",
    "deleted": "400000-401000 r-xp 00000000 08:01 7 /bin/program (deleted)\n7fff00000000-7fff00021000 rw-p 0 00:00 0 [stack]\n",
}
for name, text in MAPS.items():
    put("maps", name, u16(len(text)) + text.encode() + elf())

put("kallsyms", "plain", "0000000000000000 A fixed\nffffffff81000000 T _text\nffffffff81000040 t __pfx_f\n"
    "ffffffff81000040 t f\nffffffffc0000000 t helper\t[module]\nffffffffc0000010 d x\t[module]\n")
put("kallsyms", "disorder", "ffffffffc0000000 t b\t[m]\nffffffff81000000 T a\nffffffff80000000 T c\n")
put("kallsyms", "hidden", "0000000000000000 T a\n0000000000000000 T b\n")
put("settings", "sample", "# comment\nlanes = 2\n  serial=a board \r\n\n")
put("settings", "wrong", "lanes = 2\nno such = 1\n")
put("settings", "refused", "serial = refused\n")
put("settings", "option", "flag = 1\n")
put("events", "mine", "p:other/a f\n\0p:mine/b g\n\0p:other/a f\np:mine/b g+0x4\n")
put("events", "names", "\0r8:c h\np i\n-:gone\n\0r8:kprobes/c h\np:kprobes/p_i_0 i\n")
put("events", "dead", "p:bpfd_1_2/e0_x f\nr:bpfd_42_777/e1_y g\n\0\0")
put("device", "usual", "0123abcd\nA board\n0110\n3\nserial 7\n")
put("device", "odd", "\u00e4\u20ac\n\"\\\x1b[31m\nffff\n999999999999\nTo be filled by O.E.M.\n".encode())
LANE = b"\1\0\2\x81\2\1\2"
put("lanes", "two", b"\2\0" + LANE + b"\1\1\0\2\x82\2\2\2")
put("lanes", "shared", b"\2\0" + LANE + b"\1" + LANE)
put("lanes", "disk", b"\2\0\1\7\2\x81\2\1\2\1\2\0\1\x83\3\x08\0")
BANNER = "STARTED_BPFD\nSTART_BPFD_OUTPUT\n0.1.0 2 Linux\nEND_BPFD_OUTPUT\nSTART_BPFD_OUTPUT\n"
put("banner", "bpfd", BANNER + "bpfd_rpc: ret=0\nEND_BPFD_OUTPUT\n")
put("banner", "old", "Welcome\r\n" + BANNER.replace("0.1.0 2", "Command not") + "Command not recognized\nEND_BPFD_OUTPUT\n")
put("banner", "prompt", "login: ")
