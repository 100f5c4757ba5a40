# SPDX-License-Identifier: Apache-2.0
"""Checks bpfd-usb on a terminal with pexpect, which BCC's remote back end uses.

Prints "pass NAME" or "fail NAME". Each session runs bash on the board.
"""
import hashlib
import os
import signal
import sys
import termios
import time

import pexpect

BRIDGE = sys.argv[1]
LINE = 1000000


def report(good, name):
    print("pass" if good else "fail", name, flush=True)


def settings(child):
    return termios.tcgetattr(child.child_fd)


def start():
    child = pexpect.spawn(BRIDGE, timeout=60, encoding="ascii", echo=True)
    child.delaybeforesend = None
    child.sendline("echo re''ady")
    child.expect("ready\r\n")
    return child


def status_of(child):
    child.expect(pexpect.EOF)
    child.close()
    return child.signalstatus or child.exitstatus


def lines():
    child = start()
    raw = settings(child)
    report(not raw[3] & (termios.ICANON | termios.ECHO), "a session turns line editing and echo off")
    report(not raw[0] & termios.ICRNL and raw[3] & termios.ISIG, "a session passes CR unchanged and keeps Ctrl-C working")
    # pexpect does not read while it writes, so this needs a command that reads the whole line first.
    child.sendline("head -n 1 | md5sum")
    text = "".join(chr(97 + i % 26) for i in range(LINE)) + "\n"
    child.send(text)
    child.expect("([0-9a-f]{32}) ")
    report(child.match.group(1) == hashlib.md5(text.encode()).hexdigest(),
           "a line of 1 MB arrives complete")
    child.sendline("exec cat")
    child.sendline("")
    report(child.expect(["\r\n", pexpect.TIMEOUT], timeout=10) == 0, "an empty line arrives")
    child.sendintr()
    report(status_of(child) == signal.SIGINT, "Ctrl-C kills it with SIGINT")


def bridge_pid(child):
    with open("/proc/%d/task/%d/children" % (child.pid, child.pid)) as children:
        return int(children.read().split()[-1])


def settings_return():
    hello = "trap : INT TERM HUP; " + BRIDGE

    def by(number):
        def end(child):
            os.kill(bridge_pid(child), number)
        return end

    def leave(child):
        child.sendline("exit 3")

    for name, end in (("exit", leave), ("SIGTERM", by(signal.SIGTERM)), ("SIGHUP", by(signal.SIGHUP)),
                      ("SIGINT", lambda c: c.sendintr())):
        child = pexpect.spawn("/bin/sh", ["-c", "stty -g; " + hello + "; echo; stty -g; echo over"],
                              timeout=30, encoding="ascii")
        child.delaybeforesend = None
        child.expect("([0-9a-f:]{20,})\r\n")
        before = child.match.group(1)
        child.sendline("echo re''ady")
        child.expect("ready\r\n")
        end(child)
        child.expect("([0-9a-f:]{20,})\r\n")
        report(child.match.group(1) == before, "the terminal's settings are restored after " + name)
        child.expect("over")
        child.close()
    child = pexpect.spawn("/bin/sh", ["-c", "stty -g; " + BRIDGE + " -s none; stty -g"],
                          timeout=30, encoding="ascii")
    child.expect("([0-9a-f:]{20,})\r\n")
    before = child.match.group(1)
    child.expect("([0-9a-f:]{20,})\r\n")
    report(child.match.group(1) == before, "the terminal's settings are restored if there is no board")
    child.close()


def jobs():
    """Job control: Ctrl-Z, fg, and a session that starts in the background."""
    shell = pexpect.spawn("/bin/bash", ["--norc", "-i"], timeout=30, encoding="ascii")
    shell.delaybeforesend = None
    shell.sendline("PS1='prompt''> '")
    shell.expect("prompt> ")
    shell.sendline(BRIDGE)
    time.sleep(1)
    shell.sendline("echo re''ady")
    shell.expect("ready\r\n")
    shell.sendcontrol("z")
    shell.expect("Stopped")
    shell.expect("prompt> ")
    report(shell.isalive(), "Ctrl-Z stops it and the shell goes on")
    shell.sendline("stty -a | tr ';' '\\n'")
    shell.expect("prompt> ")
    report(" icanon" in shell.before and "-icanon" not in shell.before, "Ctrl-Z restores the terminal's settings")
    shell.sendline("fg")
    time.sleep(0.5)
    report(not settings(shell)[3] & termios.ICANON, "fg turns line editing off again")
    shell.sendline("echo ag''ain")
    report(shell.expect(["again\r\n", pexpect.TIMEOUT], timeout=10) == 0, "the session goes on after fg")
    shell.sendline("exit 5")
    shell.expect("prompt> ")
    shell.sendline("echo status=$?")
    shell.expect("status=(\\d+)")
    report(shell.match.group(1) == "5", "the session has its status after fg")
    shell.expect("prompt> ")
    shell.sendline(BRIDGE + " >/dev/null 2>&1 &")
    shell.expect("prompt> ")
    time.sleep(1)
    shell.sendline("jobs; stty -a | tr ';' '\\n'")
    shell.expect("prompt> ")
    report("Running" in shell.before and " icanon" in shell.before,
           "in the background it runs and keeps the terminal's settings")
    shell.sendline("kill %1; wait %1; echo status=$?")
    shell.expect("status=(\\d+)")
    report(shell.match.group(1) == "143", "in the background SIGTERM kills it")
    shell.close(force=True)


lines()
settings_return()
jobs()
