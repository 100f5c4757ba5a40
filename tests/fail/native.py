# SPDX-License-Identifier: Apache-2.0
"""The sessions that need no board."""
import os
import re
import shlex

from sessions import PROC, Command, Messages, Text


class RunTool(Command):
    """bpfd-run with a tool that makes all kinds of calls. The board is this machine with another name and
    another /proc, so an answer of the wrong machine is seen."""

    name = "bpfd-run over bpfd"
    program = "bpfd-run"
    is_root = True

    def missing(self):
        return None if os.geteuid() == 0 else "needs root for bpf(2)"

    def arguments(self, run_kind):
        board = "hostname theboard; exec %s/bpfd --proc %s" % (shlex.quote(self.build), shlex.quote(PROC))
        return [self.path(run_kind), "--via", "unshare --uts sh -c " + shlex.quote(board), self.tool("fail_tool")]

    def is_impossible(self, report):
        # The tool exists while it waits for an answer, it has this descriptor, and it may be looked at. Before it
        # starts it reads its end of the socket.
        return ("/fd/" in report["what"] and report["errno"] in ("ENOENT", "EACCES") or
                (report["call"], report["errno"]) == ("sendmsg", "EPIPE") or
                report["call"].startswith("process_vm") and report["errno"] == "ESRCH")

    def may_leave(self, path, run):
        # Complete entries of the cache.
        return re.match(r"home/\.cache/bpfd/", path) and not re.search(r"\.tmp|XXXXXX|~$", path)


class UsbHelp(Command):
    name = "bpfd-usb --help"
    program = "bpfd-usb"
    words = ["--help"]


class UsbList(Command):
    name = "bpfd-usb -l"
    program = "bpfd-usb"
    words = ["-l"]

    def arguments(self, run_kind):
        return [self.path(run_kind), "--sysfs", boards(), "-l"]

    def is_impossible(self, report):
        # The boards stay plugged in.
        return report["errno"] == "ENOENT"


class UsbJson(UsbList):
    name = "bpfd-usb --json"

    def arguments(self, run_kind):
        return [self.path(run_kind), "--sysfs", boards(), "--json"]


class UsbKeygen(Command):
    name = "bpfd-usb --keygen"
    program = "bpfd-usb"
    words = ["--keygen", "key"]
    without = ("alloc",)  # getpwuid() of glibc 2.36 crashes

    def clean(self, output):
        # The comment is the name of the user, if it can be found.
        return re.sub(rb" [A-Za-z0-9+/=]{60,} \S+@", b" KEY ", output)

    def may_leave(self, path, run):
        # The key is complete, also if it could not be printed.
        return path in ("work/key", "work/key.pub") and (run.status == 0 or "stdout: " in run.err)


class GadgetHelp(Command):
    name = "bpfd-gadget --help"
    program = "bpfd-gadget"
    words = ["--help"]


def boards():
    """Makes a sysfs with two boards."""
    import sessions
    top = os.path.join(sessions.PROC, "sysfs")
    if not os.path.isdir(top):
        make_board(top, "1-1", "one")
        make_board(top, "1-2", "two")
    return top


def make_board(top, path, serial):
    device = "%s/devices/usb1/%s" % (top, path)
    interface = "%s/%s:1.0" % (device, path)
    bus = top + "/bus/usb/devices"
    os.makedirs(interface)
    os.makedirs(bus, exist_ok=True)
    number = path.split("-")[1]
    files = {"idVendor": "1d6b", "idProduct": "0104", "serial": serial, "manufacturer": "maker", "product": "bpfd",
             "busnum": "1", "devnum": str(int(number) + 1), "speed": "480", "bNumInterfaces": "1",
             "bConfigurationValue": "1", "bDeviceClass": "00"}
    for name, text in files.items():
        with open(os.path.join(device, name), "w") as file:
            file.write(text + "\n")
    for name, text in {"bInterfaceClass": "ff", "bInterfaceSubClass": "b7", "bInterfaceProtocol": "01",
                       "bInterfaceNumber": "00", "bNumEndpoints": "02", "bAlternateSetting": " 0"}.items():
        with open(os.path.join(interface, name), "w") as file:
            file.write(text + "\n")
    os.symlink("../../../devices/usb1/" + path, os.path.join(bus, path))
    os.symlink("../../../devices/usb1/%s/%s:1.0" % (path, path), os.path.join(bus, path + ":1.0"))


SESSIONS = [Text, Messages, RunTool, UsbHelp, UsbList, UsbJson, UsbKeygen, GadgetHelp]
