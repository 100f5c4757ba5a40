#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the samples in board/labgrid. Prints a line for each test: pass or fail, and its name."""
import asyncio
import os
import subprocess
import sys
import time
import traceback

from labgrid import Environment, Target
from labgrid.binding import StateError
from labgrid.driver import ExecutionError
from labgrid.remote.config import ResourceConfig
from labgrid.resource.remote import RemotePlaceManager

MAP = "BPF_CREATE_MAP 1 count 8 40 10240 0"


def plug(word, number):
    with open("/run/plugs", "w") as plugs:
        plugs.write(f"{word} {number}\n")


def boards():
    return os.popen("bpfd-usb --json").read()


def refused(action):
    """Returns the message of the ExecutionError that the action raises."""
    try:
        action()
    except ExecutionError as error:
        return error.msg
    raise AssertionError("it was not refused")


class Tests:
    """The tests run in the order of their definition."""

    def local_setup(self):
        self.environment = Environment("environment.yaml")
        self.bpfd = sys.modules["bpfd_labgrid"]
        self.target = self.environment.get_target("local")
        self.driver = self.target.get_driver("BpfdUSBDriver")

    def local_the_resource_is_the_board_with_the_serial(self):
        assert self.driver.board.device.attributes.get("serial") == b"board-7"

    def local_commands_have_replies(self):
        version, created = self.driver.run_commands(["BPFD_VERSION", MAP])
        assert os.uname().release in version[0], version
        assert created == ["bpf_create_map: ret=3"], created

    def local_a_session_keeps_its_maps(self):
        with self.driver.session() as session:
            assert session.command(MAP) == ["bpf_create_map: ret=3"]
            assert session.command(MAP) == ["bpf_create_map: ret=4"]

    def local_a_second_session_on_one_lane_is_refused(self):
        with self.driver.session():
            message = refused(lambda: self.driver.run_commands([]))
        assert "status 254" in message, message

    def local_a_tool_runs_and_can_time_out(self):
        # Only root may list a kernel's maps: the tool fails without the board and works with it.
        tool = ["/usr/sbin/bpftool", "map", "show"]
        assert subprocess.run(tool, capture_output=True).returncode != 0
        out, err, status = self.driver.run_tool(tool)
        assert status == 0, (out, err, status)
        out, err, status = self.driver.run_tool(["sh", "-c", "sleep 60"], timeout=1)
        assert status == -2, status

    def local_an_unplugged_board_works_again_when_plugged_in(self):
        plug("unplug", 0)
        self.target.await_resources([self.driver.board], timeout=20.0, avail=False)
        try:
            self.driver.run_commands([])
        except (ExecutionError, StateError):
            pass
        else:
            raise AssertionError("commands without a board")
        plug("plug", 0)
        self.target.await_resources([self.driver.board], timeout=20.0)
        self.target.activate(self.driver)
        assert self.driver.run_commands([MAP]) == [["bpf_create_map: ret=3"]]

    def exporter_setup(self):
        """Makes the exporter's resources as its main program does. There is no coordinator, so
        the place's resources get the exporter's entries directly."""
        exporter = self.bpfd.add_export()
        config = ResourceConfig("exporter.yaml").data
        self.exports = {}
        for group, resources in config.items():
            params = resources["bpfd"]
            cls = params.pop("cls")
            self.exports[group] = exporter.exports[cls](
                {"cls": cls, "params": params}, host="labhost", proxy="labhost", proxy_required=False)
        manager = RemotePlaceManager.get()
        manager.loop = asyncio.new_event_loop()
        self.remote = {}
        for group, export in self.exports.items():
            self.export_poll(group, True)
            assert export.cls == "NetworkBpfdBoard", export.cls
            target = Target(group)
            board = self.bpfd.NetworkBpfdBoard(target, name="bpfd", **export.args)
            board.avail = export.avail
            board.extra = export.extra
            board._remote_entry = export
            driver = self.bpfd.BpfdUSBDriver(target, name=None)
            target.activate(driver)
            self.remote[group] = driver

    def export_poll(self, group, avail):
        end = time.monotonic() + 20
        while self.exports[group].avail != avail:
            assert time.monotonic() < end, "the exporter does not see it"
            self.exports[group].poll()
            time.sleep(0.1)

    def exporter_entries_have_serial_and_path(self):
        paths = {self.exports[group].params["path"] for group in self.exports}
        assert len(paths) == 2 and None not in paths, paths
        for group, export in self.exports.items():
            assert f'"serial": "{group}", "path": "{export.params["path"]}"' in boards()

    def ssh_commands_work_on_both_boards(self):
        assert len(self.remote) == 2
        for driver in self.remote.values():
            command = driver.get_command()
            assert command[0] == "ssh" and "labhost" in command, command
            assert driver.run_commands([MAP]) == [["bpf_create_map: ret=3"]]

    def ssh_sessions_run_on_both_boards_at_once(self):
        with self.remote["board-7"].session() as one, self.remote["board-8"].session() as other:
            assert boards().count('"free": 0') == 2
            assert one.command(MAP) == other.command(MAP) == ["bpf_create_map: ret=3"]
        assert boards().count('"free": 1') == 2

    def ssh_a_tool_runs(self):
        out, err, status = self.remote["board-8"].run_tool(["uname", "-r"])
        assert (out, status) == ([os.uname().release], 0), (out, err, status)

    def ssh_a_missing_lane_is_reported(self):
        with self.remote["board-7"].session():
            try:
                self.remote["board-7"].run_commands([])
            except ExecutionError as error:
                assert "status 254" in error.msg, error.msg
                assert any("lanes are in use" in line for line in error.stderr), error.stderr
            else:
                raise AssertionError("two sessions on one lane")

    def ssh_an_unplugged_board_works_again_when_plugged_in(self):
        plug("unplug", 1)
        self.export_poll("board-8", False)
        time.sleep(0.2)  # labgrid polls at most ten times a second
        driver = self.remote["board-8"]
        assert "not plugged in" in refused(lambda: driver.run_commands([]))
        assert self.remote["board-7"].run_commands([MAP]) == [["bpf_create_map: ret=3"]]
        plug("plug", 1)
        self.export_poll("board-8", True)
        driver.target.activate(driver)
        assert driver.run_commands([MAP]) == [["bpf_create_map: ret=3"]]


def main():
    tests = Tests()
    names = [name for name in vars(Tests) if name.split("_")[0] in ("local", "exporter", "ssh")]
    for name in names:
        try:
            getattr(tests, name)()
            word = "pass"
        except Exception:
            traceback.print_exc()
            word = "fail"
        print(word, name.replace("_", " ").replace(" ", ": ", 1), flush=True)


main()
