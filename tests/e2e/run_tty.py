# SPDX-License-Identifier: Apache-2.0
"""Runs tools with bpfd-run under pexpect: what a person at a terminal does. argv[1]: the way to the
board. Prints "pass NAME" or "fail NAME"."""
import os
import signal
import sys
import tempfile
import time

import pexpect

VIA = sys.argv[1]


def start(*tool, via=VIA, **environment):
    child = pexpect.spawn("bpfd-run", ["--via", via, *tool], timeout=90, encoding="utf-8",
                          echo=False, env={**os.environ, **environment})
    child.delaybeforesend = None
    return child


# Signals that the shell which has started us ignores would be ignored by the tools as well.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def interrupt_bpftrace():
    """Ctrl-C ends bpftrace, which prints its maps"""
    child = start("bpftrace", "-e",
                  "BEGIN { printf(\"ready\\n\"); } kprobe:do_sys_openat2 { @opens = count(); }")
    child.expect("ready")
    # It waits for 100 ms at a time from "ready" on, and loses a signal that comes between two waits:
    # by itself as well, once in 20 times if the signal comes after a multiple of that.
    time.sleep(2.05)
    child.sendintr()
    child.expect("@opens: [1-9]")
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus == 0


def stop_opensnoop():
    """Ctrl-Z stops opensnoop, it goes on, and Ctrl-C ends it"""
    child = start("opensnoop")
    child.expect("marker")
    child.sendcontrol("z")
    time.sleep(1)
    stopped = child.isalive()
    child.kill(signal.SIGCONT)  # to bpfd-run; the tool is continued by its process group
    child.sendline("")
    pexpect.run("pkill -CONT -x opensnoop")
    child.expect("marker")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    return stopped


def interrupt_by_parent():
    """a signal of a process in the same group, to bpfd-run alone, reaches the tool"""
    script = """
import signal, subprocess, sys
tool = subprocess.Popen(["bpfd-run", "--via", sys.argv[1], "sh", "-c",
                         "trap 'echo told; exit 3' INT; echo ready; while :; do sleep 0.1; done"],
                        stdout=subprocess.PIPE, text=True)
assert tool.stdout.readline() == "ready\\n"
tool.send_signal(signal.SIGINT)
print(tool.stdout.read().strip(), tool.wait(), flush=True)
"""
    child = pexpect.spawn("/usr/bin/python3", ["-c", script, VIA], timeout=30, encoding="utf-8")
    child.expect("told 3")
    child.expect(pexpect.EOF)
    return True


def show_progress():
    """what takes long shows itself, and is kept"""
    with tempfile.TemporaryDirectory() as empty:
        # A link that stops for a second: a quick one needs no progress.
        slow = VIA + " | { stdbuf -o0 head -c 600000; sleep 1; cat; }"
        child = start("sh", "-c", "tail -n 1 /proc/kallsyms; echo done", via=slow,
                      XDG_CACHE_HOME=empty)
        child.expect("fetching /proc/kallsyms from the board: [0-9.]+ MB")
        child.expect("done")
        child.expect(pexpect.EOF)
        return len(os.listdir(empty + "/bpfd")) == 1


for test in (interrupt_bpftrace, stop_opensnoop, interrupt_by_parent, show_progress):
    try:
        print("pass" if test() else "fail", test.__doc__, flush=True)
    except pexpect.ExceptionPexpect as error:
        print("fail", test.__doc__ + ":", " ".join(str(error).split()), flush=True)
