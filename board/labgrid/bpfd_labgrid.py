# SPDX-License-Identifier: Apache-2.0
"""labgrid: a resource for boards that run bpfd-gadget, and a driver that runs bpfd-usb.

In an environment: "imports: [bpfd_labgrid.py]". On an exporter: run this file instead of
labgrid-exporter, with the same arguments; it exports BpfdBoard and labgrid's own classes.
"""
import contextlib
import os
import select
import shlex
import signal
import subprocess
import tempfile
import time

import attr
from labgrid.driver import Driver, ExecutionError
from labgrid.factory import target_factory
from labgrid.resource.remote import RemoteUSBResource
from labgrid.resource.udev import USBResource
from labgrid.step import step

LANE = ":ffb701:"  # class, subclass and protocol of a lane, in udev's ID_USB_INTERFACES


@target_factory.reg_resource
@attr.s(eq=False)
class BpfdBoard(USBResource):
    """A board at a USB port of this machine. `match` chooses it, for example by ID_SERIAL_SHORT."""

    def __attrs_post_init__(self):
        self.match.setdefault("DEVTYPE", "usb_device")
        super().__attrs_post_init__()

    def filter_match(self, device):
        interfaces = device.properties.get("ID_USB_INTERFACES", "")
        return LANE in interfaces and super().filter_match(device)


@target_factory.reg_resource
@attr.s(eq=False)
class NetworkBpfdBoard(RemoteUSBResource):
    """A BpfdBoard of an exporter."""

    def __attrs_post_init__(self):
        self.timeout = 10.0
        super().__attrs_post_init__()


class BpfdSession:
    """A session with the board's bpfd. Its maps, programs and probes end with it."""

    def __init__(self, argv, timeout):
        self._timeout = timeout
        self._buffer = b""
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, bufsize=0
        )
        try:
            self._expect("STARTED_BPFD", time.monotonic() + timeout)
        except BaseException:
            self._end()
            raise

    def command(self, line, timeout=None):
        """Sends a command line and returns the lines of the reply."""
        deadline = time.monotonic() + (timeout or self._timeout)
        try:
            self._process.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            self._fail(f"{line}: the session has ended")
        self._expect("START_BPFD_OUTPUT", deadline)
        reply = []
        while (text := self._line(deadline)) != "END_BPFD_OUTPUT":
            reply.append(text)
        return reply

    def close(self):
        """Ends the session. Raises ExecutionError if output is missing or bpfd failed."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            status = self._process.wait(self._timeout)
        except subprocess.TimeoutExpired:
            self._fail("the session did not end in time")
        if status:
            self._fail(f"the session ended with status {status}")
        self._end()

    def _expect(self, text, deadline):
        line = self._line(deadline)
        if line != text:
            self._fail(f"expected {text}, got {line[:200]}")

    def _line(self, deadline):
        out = self._process.stdout
        while b"\n" not in self._buffer:
            rest = deadline - time.monotonic()
            if rest <= 0 or not select.select([out], [], [], rest)[0]:
                self._fail("no reply in time")
            data = os.read(out.fileno(), 65536)
            if not data:
                self._fail(f"the session ended with status {self._process.wait()}")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode(errors="replace")

    def _fail(self, message):
        self._end()
        raise ExecutionError(f"bpfd-usb: {message}", stdout=[], stderr=self._stderr)

    def _end(self):
        if self._errors.closed:
            return
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
        self._errors.seek(0)
        self._stderr = self._errors.read().decode(errors="replace").splitlines()
        self._errors.close()


@target_factory.reg_driver
@attr.s(eq=False)
class BpfdUSBDriver(Driver):
    """Runs bpfd-usb where the board is plugged in: here, or over ssh on its exporter."""

    bindings = {"board": {BpfdBoard, NetworkBpfdBoard}}
    timeout = attr.ib(default=30.0, converter=float)  # seconds until a reply must be complete

    def __attrs_post_init__(self):
        super().__attrs_post_init__()
        tools = self.target.env.config if self.target.env else None
        self.bridge = (tools and tools.get_tool("bpfd-usb")) or "bpfd-usb"
        self.supervisor = (tools and tools.get_tool("bpfd-run")) or "bpfd-run"

    @Driver.check_active
    def get_command(self, *options):
        """Returns the argv of bpfd-usb, whose stdin and stdout are those of the board's bpfd."""
        self.target.update_resources()
        if not self.board.avail or not self.board.path:
            raise ExecutionError(f"{self.board}: the board is not plugged in")
        # The bus path is unique, even if boards from one image have the same serial number.
        command = [self.bridge, "-s", self.board.path, *options]
        if self.board.command_prefix:  # ssh: the remote shell splits the line into words
            command = [shlex.quote(word) for word in command]
        return self.board.command_prefix + command

    @Driver.check_active
    def get_via(self):
        """Returns the same command line as text, for `bpfd-run --via`."""
        return shlex.join(self.get_command())

    @Driver.check_active
    @contextlib.contextmanager
    def session(self):
        """A context manager for a BpfdSession."""
        session = BpfdSession(self.get_command(), self.timeout)
        try:
            yield session
            session.close()
        finally:
            session._end()

    @Driver.check_active
    @step(args=["lines"], result=True)
    def run_commands(self, lines):
        """Sends command lines in one session. Returns a list of replies, each a list of lines."""
        with self.session() as session:
            return [session.command(line) for line in lines]

    @Driver.check_active
    @step(args=["tool"], result=True)
    def run_tool(self, tool, options=(), timeout=None):
        """Runs a BPF tool on this machine that traces the board. Returns the lines of its standard
        output and standard error, and its exit status.

        Args:
            tool (list): the tool and its arguments
            options (list): options of bpfd-run, for example ["--headers", DIRECTORY]
            timeout (float): seconds until the tool gets SIGINT; most tools need one to end
        """
        command = [self.supervisor, "--via", self.get_via(), *options, *tool]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, errors="replace",
        ) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
                out, err = process.communicate()
        return out.splitlines(), err.splitlines(), process.returncode


def add_export():
    """Adds BpfdBoard to the classes of labgrid's exporter, and returns the exporter's module."""
    from labgrid.remote import exporter
    from labgrid.resource import udev

    udev.BpfdBoard = BpfdBoard  # USBGenericExport looks for the class in this module
    exporter.exports["BpfdBoard"] = exporter.USBGenericExport
    return exporter


if __name__ == "__main__":
    add_export().main()
