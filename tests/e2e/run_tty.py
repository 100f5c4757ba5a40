# SPDX-License-Identifier: Apache-2.0
"""Checks bpfd-run on a terminal with pexpect. argv[1] is the argument of --via.

Prints "pass NAME" or "fail NAME"; the name is the docstring of the test.
"""
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


# The shell that started this program ignores these signals; the tools would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)


# bpftrace waits 100 ms at a time, and it loses a signal that comes between two waits, also without
# bpfd-run: how often depends on how busy the machine is. The next one then ends it.
def interrupt_until(child, pattern):
    for _ in range(8):
        child.sendintr()
        if child.expect([pattern, pexpect.TIMEOUT], timeout=10) == 0:
            return
    raise pexpect.TIMEOUT("after eight times Ctrl-C: no " + pattern)


def interrupt_bpftrace():
    """Ctrl-C ends bpftrace and bpftrace prints its maps"""
    child = start("bpftrace", "-e",
                  "BEGIN { printf(\"ready\\n\"); } kprobe:do_sys_openat2 { @opens = count(); }")
    child.expect("ready")
    time.sleep(2.05)
    interrupt_until(child, "@opens: [1-9]")
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus == 0


def stop_opensnoop():
    """opensnoop stops at Ctrl-Z, can be continued, and ends at Ctrl-C"""
    child = start("opensnoop")
    child.expect("marker")
    child.sendcontrol("z")
    time.sleep(1)
    stopped = child.isalive()
    child.kill(signal.SIGCONT)  # continues bpfd-run only; pkill continues the tool
    child.sendline("")
    pexpect.run("pkill -CONT -x opensnoop")
    child.expect("marker")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    return stopped


def interrupt_by_parent():
    """a signal that a process of the same group sends to bpfd-run reaches the tool"""
    script = """
import signal, subprocess, sys
tool = subprocess.Popen(["bpfd-run", "--via", sys.argv[1], "sh", "-c",
                         "trap 'echo trapped; exit 3' INT; echo ready; while :; do sleep 0.1; done"],
                        stdout=subprocess.PIPE, text=True)
assert tool.stdout.readline() == "ready\\n"
tool.send_signal(signal.SIGINT)
print(tool.stdout.read().strip(), tool.wait(), flush=True)
"""
    child = pexpect.spawn("/usr/bin/python3", ["-c", script, VIA], timeout=30, encoding="utf-8")
    child.expect("trapped 3")
    child.expect(pexpect.EOF)
    return True


def show_progress():
    """a long fetch shows its progress and is cached"""
    with tempfile.TemporaryDirectory() as empty:
        # The link stops for a second, because a quick fetch shows no progress.
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
