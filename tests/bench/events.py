#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the events of a perf buffer that reach a tool of BCC.

usage: events.py TRIGGER COUNT PER_SECOND PAGES     (PER_SECOND 0: at full speed)
Prints: sent delivered lost seconds. TRIGGER makes COUNT system calls, and a program on a tracepoint
reports each. Losses are those that BCC's lost callback gets.
"""
import subprocess
import sys
import time

from bcc import BPF

TRIGGER, COUNT, RATE, PAGES = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
# The program includes no kernel headers, so it compiles faster.
PROGRAM = r"""
struct event { u64 number, fill[3]; };
BPF_PERF_OUTPUT(events);
BPF_ARRAY(count, u64, 1);
RAW_TRACEPOINT_PROBE(sys_enter)
{
        struct event event = {};
        int zero = 0;
        u64 *n = count.lookup(&zero);

        if (ctx->args[1] != SYSCALL || !n || bpf_get_current_pid_tgid() >> 32 == 0)
                return 0;
        char comm[16];
        bpf_get_current_comm(comm, sizeof(comm));
        if (comm[0] != 't' || comm[1] != 'r' || comm[2] != 'i' || comm[3] != 'g')
                return 0;
        event.number = __sync_fetch_and_add(n, 1);
        events.perf_submit(ctx, &event, sizeof(event));
        return 0;
}
"""
SYS_GETPGID = 121

delivered = 0
lost = 0


def on_event(cpu, data, size):
    global delivered
    delivered += 1


def on_lost(count):
    global lost
    lost += count


bpf = BPF(text=PROGRAM.replace("SYSCALL", str(SYS_GETPGID)))
bpf["events"].open_perf_buffer(on_event, page_cnt=PAGES, lost_cb=on_lost)
start = time.monotonic()
load = subprocess.Popen([TRIGGER, "syscall", str(COUNT), RATE])
quiet = 0
while quiet < 4:
    before = delivered
    bpf.perf_buffer_poll(timeout=500)
    if delivered != before:
        end = time.monotonic()
    quiet = quiet + 1 if load.poll() is not None and delivered == before else 0
# The kernel reports a loss with the next record.
subprocess.run([TRIGGER, "syscall", "1"], check=True)
for _ in range(4):
    bpf.perf_buffer_poll(timeout=250)
sent = bpf["count"][0].value
print(sent, delivered, lost, "%.2f" % (end - start))
