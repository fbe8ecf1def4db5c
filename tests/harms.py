"""What a variant can do to its process, and a backend that does it in one phase."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import sys
import time
from pathlib import Path

import cloudpickle

from optkit.engines import Compile

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers must not need this file


def be_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def crash():
    faulthandler._sigsegv()


def hang():
    time.sleep(1000)


def leave():
    sys.exit(0)


def leave_at_once():
    os._exit(0)


def explode():
    raise ValueError("much\n" * 2000)


def exhaust():
    """Run into a limit of memory."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 100 * 2**20, resource.RLIM_INFINITY))
    bytearray(2**30)


def shout():
    for _ in range(100):
        print("out" * 33_000)
        print("err" * 33_000, file=sys.stderr)
    print("the last words")


def shout_and_die():
    shout()
    sys.stdout.flush()
    os.abort()


HARM = {
    be_killed: "SIGKILL",
    crash: "SIGSEGV",
    hang: "No answer within",
    leave: "sys.exit(0)",
    leave_at_once: "exit status 0",
    explode: "ValueError: much much",
    exhaust: "MemoryError",
    shout_and_die: "SIGABRT",
}
RAISED = (leave, explode, exhaust)


def name_of(harm, phase):
    return f"compile:backend={harm.__name__}_in_{phase}()"


class Harmful:
    """A backend that does harm in one phase, when the file is there that the test makes as the phase begins."""

    def __init__(self, harm, phase, flags):
        self.harm, self.phase, self.flag = harm, phase, str(Path(flags) / name_of(harm, phase))

    def act(self):
        if os.path.exists(self.flag):  # noqa: PTH110 - cheaper, for it is in every call
            os.remove(self.flag)  # noqa: PTH107
            self.harm()

    def __setstate__(self, state):
        self.__dict__.update(state)
        if self.phase == "build":  # the variant is read then
            self.act()

    def __getattr__(self, name):
        if name != "__name__" or "harm" not in self.__dict__:
            raise AttributeError(name)
        if self.phase == "prepare":  # torch.compile asks for it
            self.act()
        return f"{self.harm.__name__}_in_{self.phase}"

    def __call__(self, graph, example_inputs):
        def compiled(*args):
            if self.phase not in ("build", "prepare"):
                self.act()
            return graph.forward(*args)

        return compiled


def backend_that(harm, phase, flags):
    return Compile(backend=Harmful(harm, phase, flags))
