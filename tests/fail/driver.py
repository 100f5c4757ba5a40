# SPDX-License-Identifier: Apache-2.0
"""Runs a scripted session under fail_nth, once for each call that can fail, and judges each run."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading

LIMIT_S = 120  # a run that takes longer hangs; on an idle machine each takes less than a second
LEAKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "leaks")


class Wrong(Exception):
    """What a run must not do."""


class Run:
    """One run of a program under fail_nth."""

    def __init__(self, session, command, kind, n, errno, env):
        self.scratch = tempfile.mkdtemp(prefix="fail.")
        for name in ("home", "tmp", "work", "logs"):
            os.mkdir(os.path.join(self.scratch, name))
        self.report_file = os.path.join(self.scratch, "report")
        self.err_file = os.path.join(self.scratch, "err")
        # A run in which nothing fails stays traced, and LeakSanitizer does not work then.
        sanitizers = "exitcode=99:verify_asan_link_order=0:log_path=%s/logs/asan:detect_leaks=%d" % (
            self.scratch, n > 0)
        self.env = dict(os.environ, HOME=self.scratch + "/home", TMPDIR=self.scratch + "/tmp", LC_ALL="C",
                        ASAN_OPTIONS=sanitizers, UBSAN_OPTIONS="print_stacktrace=1",
                        LSAN_OPTIONS="print_suppressions=0:suppressions=" + LEAKS, **env)
        self.env.pop("XDG_CACHE_HOME", None)
        self.env.pop("XDG_RUNTIME_DIR", None)
        self.command = [session.tool("fail_nth"), "-k", kind, "-n", str(n), "-e", str(errno), "-t",
                        str(LIMIT_S), "-o", self.report_file] + command
        self.timer = None
        self.process = None
        self.report = {}
        self.status = None
        self.err = ""

    def start(self, **streams):
        with open(self.err_file, "wb") as err:
            self.process = subprocess.Popen(self.command, stderr=err, env=self.env,
                                            cwd=self.scratch + "/work", **streams)
        # fail_nth has a limit too; this one is for a driver that hangs.
        self.timer = threading.Timer(2 * LIMIT_S, self.process.kill)
        self.timer.daemon = True
        self.timer.start()

    def end(self):
        self.status = self.process.wait()
        self.timer.cancel()
        with open(self.err_file, errors="replace") as err:
            self.err = err.read()
        try:
            with open(self.report_file, errors="replace") as report:
                self.report = dict(word.split("=", 1) for word in report.read().split())
        except FileNotFoundError:
            raise Wrong("fail_nth has made no report: " + self.err) from None

    def left_files(self):
        found = []
        for top, _, files in os.walk(self.scratch):
            for name in files:
                path = os.path.relpath(os.path.join(top, name), self.scratch)
                if path not in ("report", "err") and not path.startswith("logs/"):
                    found.append(path)
        return sorted(found)

    def logs(self):
        """Returns the reports of sanitizers, and the pids of processes that ended while they were traced, in which
        LeakSanitizer does not work."""
        texts, traced = [], []
        for name in os.listdir(self.scratch + "/logs"):
            with open(os.path.join(self.scratch, "logs", name), errors="replace") as log:
                text = log.read()
            if "LeakSanitizer does not work under ptrace" in text:
                traced.append(name.rsplit(".", 1)[1])
            else:
                texts.append(text)
        return texts, traced

    def has_failed(self):
        """False if no call has failed, or only one that LeakSanitizer made at the end of a process."""
        return self.report["failed"] != "0" and self.report["pid"] not in self.logs()[1]

    def check(self, session):
        """Raises Wrong for what no program may do, whatever has failed."""
        report = self.report
        for text in self.logs()[0]:
            raise Wrong("sanitizer report:\n" + text[:4000])
        if report["hangs"] != "0":
            raise Wrong("it hangs: killed %s" % report["names"])
        if report["left"] != "0":
            raise Wrong("processes are left: %s" % report["names"])
        # Like any filter, a program whose output has no reader may die of SIGPIPE.
        is_sigpipe = report["signal"] == str(int(signal.SIGPIPE)) and report["errno"] == "EPIPE"
        if report["signal"] != "0" and not is_sigpipe:
            raise Wrong("killed by signal " + report["signal"])
        left = [path for path in self.left_files() if not session.may_leave(path, self)]
        if left:
            raise Wrong("files are left: %s" % " ".join(left))

    def remove(self):
        shutil.rmtree(self.scratch, ignore_errors=True)

    def title(self):
        report = self.report
        return "%s (%s) in %s: %s" % (report["call"], report["what"], report["program"], report["errno"])


class Session:
    """A scripted session. Subclasses run it and judge it."""

    name = ""
    program = ""
    words = []
    env = {}
    without = ()  # kinds that are left out
    is_plain = False  # the programs with sanitizers would be too slow

    def __init__(self, build, san):
        self.build, self.san = build, san
        self.expected = None

    def tool(self, name):
        return os.path.join(self.build, "tools", name)

    def path(self, kind):
        """The sanitized program; the plain one if mmap fails, since that is how ASan gets memory."""
        is_plain = self.is_plain or kind == "mmap"
        return os.path.join(self.build if is_plain else self.san, self.program)

    def missing(self):
        """Why the session cannot run here, or None."""
        return None

    def may_leave(self, path, run):
        return False

    def is_impossible(self, report):
        """True if no kernel fails that call with that errno."""
        return False

    def before(self):
        pass

    def after(self, run):
        """Checks what else must not be left."""

    def act(self, run):
        """Runs the session. Returns what it has received."""
        raise NotImplementedError

    def judge(self, run, got):
        raise NotImplementedError

    def arguments(self, run_kind):
        return [self.path(run_kind)] + self.words

    def once(self, kind, n, errno):
        """Returns the run and what it has received. The caller removes the run."""
        run = Run(self, self.arguments(kind), kind, n, errno, self.env)
        self.before()
        got = self.act(run)
        run.end()
        return run, got

    def record(self, kind):
        """Runs the session without a failure. Returns how many calls of that kind it makes."""
        run, got = self.once(kind, 0, 0)
        try:
            run.check(self)
            self.expected = got
            self.judge(run, got)
            return int(run.report["calls"])
        finally:
            self.after(run)
            run.remove()


def where(run, program):
    """The source lines that led to the failed call."""
    at = run.report.get("at", "-")
    if at in ("-", "0", "0x0"):
        return ""
    lines = subprocess.run(["addr2line", "-fpe", program] + at.split(","), stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True, check=False).stdout
    return "\n".join("  " + re.sub(r" at .*/((core|gadget|host-usb|configfs|tests)/)", r" \1", line)
                     for line in lines.splitlines() if "??" not in line)
