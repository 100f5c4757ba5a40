# SPDX-License-Identifier: Apache-2.0
"""Speaks to bpfd like BCC's remote back end: with pexpect, so on a pseudo-terminal."""
import subprocess
import sys
import termios

import pexpect

command, build = sys.argv[1:3]
failed = False


def check(name, good, why=""):
    global failed
    failed = failed or not good
    print(("ok " if good else "not ok ") + name + ("" if good else ": " + repr(why)[:300]), flush=True)


def ask(line):
    client.sendline(line)
    client.expect("START_BPFD_OUTPUT\r?\n")
    client.expect("END_BPFD_OUTPUT\r?\n")
    return client.before.decode().replace("\r\n", "\n")


def program_line(padding, maps):
    return subprocess.run(
        [build + "/tools/bpf_line", "-p", str(padding), build + "/tools/probe.bpf.o", "test/count0",
         "2", "GPL", "0", maps], check=True, stdout=subprocess.PIPE).stdout.decode().strip()


client = pexpect.spawn(command, timeout=60, maxread=65536)
client.delaybeforesend = None
client.expect("STARTED_BPFD")
check("a session has a banner", True)
mode = termios.tcgetattr(client.child_fd)
check("the terminal is not canonical and does not echo",
      not mode[3] & (termios.ICANON | termios.ECHO), mode[3])
body = ask("BPF_CREATE_MAP 2 counts 4 8 8 0")
check("a map is created", body == "bpf_create_map: ret=3\n", body)
line = program_line(20000, "counts=3")
check("a program's line is longer than 64 KiB", len(line) > 65536, len(line))
body = ask(line)
check("a line longer than 64 KiB loads the program", body == "bpf_prog_load: ret=4\n", body)
line = "BPF_UPDATE_ELEM 3 " + "A" * 1000000 + " 4 AAAAAAAAAAA= 8 0"
body = ask(line)
check("a line of 1 MB gets one error reply", "ret=-" in body or body.startswith("Command not recognized"), body)
body = ask("BPF_OPEN_PERF_BUFFER -1 0 8")
check("a ring is opened", body == "bpf_open_perf_buffer: ret=5\n", body)
client.sendline("PERF_READER_POLL -1 1 5")
client.expect("START_BPFD_OUTPUT\r?\n")
check("a poll waits", client.expect(["END_BPFD_OUTPUT", pexpect.TIMEOUT], timeout=1) == 1)
client.sendline("")
check("an empty line ends a poll", client.expect(["END_BPFD_OUTPUT", pexpect.TIMEOUT]) == 0)
body = ask("BPF_ATTACH_KPROBE 4 0 p_pty __x64_sys_getpgid")
check("a probe is attached", "ret=6" in body, body)
body = ask("BPF_CLOSE_PERF_EVENT_FD 6")
check("a probe is closed", "ret=0" in body, body)
body = ask("BPF_DETACH_KPROBE p_pty")
check("a probe is detached", "ret=0" in body, body)
client.sendline("exit")
client.expect(pexpect.EOF)
client.wait()
check("exit ends the session with status 0", client.exitstatus == 0, (client.exitstatus, client.signalstatus))

# The terminal's settings are restored at the end, also by a signal.
for end in ("exit", "interrupt", "quit"):
    shell = pexpect.spawn("/bin/sh", ["-c", "trap : INT QUIT; stty -a; %s; echo status $?; stty -a; echo over" % command],
                          timeout=60)
    shell.delaybeforesend = None
    shell.expect("STARTED_BPFD")
    before = shell.before.decode()
    if end == "exit":
        shell.sendline("exit")
    elif end == "interrupt":
        shell.sendintr()
    else:
        shell.send("\x1c")
    shell.expect("status ([0-9]+)\r\n")
    status = int(shell.match.group(1))
    check("the status is right after " + end, status == 0 if end == "exit" else status != 0, status)
    shell.expect("over")
    after = shell.before.decode()
    flags = [set(text.replace(";", "").split()) & {"icanon", "-icanon", "echo", "-echo", "icrnl", "-icrnl"}
             for text in (before, after)]
    check("the terminal is restored after " + end, flags[0] == flags[1] and "icanon" in flags[0], flags)
    shell.close()
sys.exit(failed)
