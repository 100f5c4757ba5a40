# SPDX-License-Identifier: Apache-2.0
"""Sessions with a board, in the VM: both ends of the cable are in one kernel (dummy_hcd)."""
import glob
import os
import signal
import subprocess
import sys
import time

import probes
from driver import Session, Wrong
from sessions import Command, check_end

PATIENCE_S = 60
SERIAL = "testboard"
SCRIPT = b"""BPFD_VERSION
BPF_CREATE_MAP 2 array 4 8 64 0
BPF_GET_FIRST_KEY 3 4 8 1
COMM_FOR_PID 1
"""
GADGETS = "/sys/kernel/config/usb_gadget"


def wait_for(condition, seconds=PATIENCE_S):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def lanes():
    count = 0
    for path in glob.glob("/sys/bus/usb/devices/*/bInterfaceSubClass"):
        try:
            with open(path) as file:
                count += file.read().strip() == "b7"
        except OSError:
            pass
    return count


def processes(name):
    return subprocess.run(["pgrep", "-x", name], stdout=subprocess.DEVNULL, check=False).returncode == 0


def mounts():
    with open("/proc/self/mounts") as file:
        return [line.split()[1] for line in file if line.split()[2] == "functionfs"]


class Usb(Command):
    name = "bpfd-usb with a board"
    is_plain = "--all" not in sys.argv
    program = "bpfd-usb"
    words = ["-w=%d" % PATIENCE_S, "-s", SERIAL, "--lease", "3"]
    input = SCRIPT

    def before(self):
        if not wait_for(lambda: lanes() >= 2):
            raise Wrong("the board is gone")

    def after(self, run):
        if not wait_for(lambda: not processes("bpfd")):
            raise Wrong("the board's bpfd is left")


class Gadget(Session):
    """The daemon from its start to SIGTERM, with a session. Whatever fails, it ends with a message, or it goes
    on, and then the session is right, or the next one is."""

    name = "bpfd-gadget"
    is_plain = "--all" not in sys.argv
    program = "bpfd-gadget"

    def arguments(self, run_kind):
        return [self.path(run_kind), "--serial", SERIAL, "--lanes", "1", "--bpfd", os.path.join(self.build, "bpfd")]

    def is_impossible(self, report):
        # A pipe to a process that reads has a reader.
        is_log = report["what"].startswith("0x2,")
        return report["errno"] == "EPIPE" and report["program"] == "bpfd-worker" and not is_log

    def talk(self):
        """Returns the status, output and messages of a session."""
        done = subprocess.run([os.path.join(self.build, "bpfd-usb"), "-w=5", "-s", SERIAL, "--lease", "3"],
                              input=SCRIPT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              timeout=2 * PATIENCE_S)
        return done.returncode, done.stdout, done.stderr.decode(errors="replace")

    def act(self, run):
        run.start(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        ended = lambda: run.process.poll() is not None
        wait_for(lambda: lanes() > 0 or ended())
        run.sessions = []
        while not ended() and len(run.sessions) < 3 and (not run.sessions or run.sessions[-1][0] != 0):
            run.sessions.append(self.talk())
        run.was_alive = not ended()
        if run.was_alive:
            run.process.send_signal(signal.SIGTERM)
        return run.sessions[-1][1] if run.sessions else b""

    def judge(self, run, got):
        for status, output, message in run.sessions:
            if status == 0 and output != self.expected:
                raise Wrong("WRONG ANSWER of a session: %r, not %r" % (output, self.expected))
            if status >= 250 and not self.expected.startswith(output):
                raise Wrong("output is no prefix, status %d: %r; %s" % (status, output, message))
        if run.was_alive and not (run.sessions and run.sessions[-1][0] == 0):
            raise Wrong("no session comes about: %r" % (run.sessions,))
        check_end(run, run.was_alive)

    def after(self, run):
        left = ["configfs " + name for name in os.listdir(GADGETS)] + ["mount " + path for path in mounts()]
        for path in mounts():
            subprocess.run(["umount", path], check=False)
        for name in os.listdir(GADGETS):
            remove_gadget(os.path.join(GADGETS, name))
        wait_for(lambda: lanes() == 0)
        if left and "cannot unbind" not in run.err:
            raise Wrong("left: " + ", ".join(left))


def remove_gadget(top):
    try:
        with open(top + "/UDC", "w") as file:
            file.write("\n")
    except OSError:
        pass
    for link in glob.glob(top + "/configs/*/*"):
        if os.path.islink(link):
            os.unlink(link)
    for pattern in ("/configs/*/strings/*", "/configs/*", "/functions/*", "/strings/*", ""):
        for path in glob.glob(top + pattern):
            try:
                os.rmdir(path)
            except OSError:
                pass


SESSIONS = [Usb, Gadget] + probes.SESSIONS
