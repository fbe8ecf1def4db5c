"""The program that executes one notebook with papermill, in a process of its own; see `optkit.tutorials.process`.

It ends with whatever the notebook has left running, also where its parent is gone: its input closes then.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

import psutil

from optkit import text
from optkit.tutorials import process_tree

TASK, NEWS, OUT = "task.json", "news.jsonl", "executed.ipynb"
"""Files in the folder that both sides know."""
SETTLE_S = 2.0
"""What a kernel started, such as workers that notice its end themselves, has so long to end."""
GIVE_UP_S = 3.0
"""Papermill has so long to notice that the kernel is gone, and to save what there is."""
KERNEL_START_S = 120
LONGEST_REASON = 300


class Program:
    """Executes the notebook of a folder and tells how far it is, a line of JSON each time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.news = (folder / NEWS).open("a", encoding="utf-8")
        self.ending = threading.Event()
        self.alone = threading.Lock()
        self.parent = os.getppid()

    def run(self) -> NoReturn:
        """Execute, tell, and end."""
        process_tree.adopt()
        threading.Thread(target=self._end_with_the_parent, daemon=True).start()
        self.finish(self._execute(json.loads((self.folder / TASK).read_text(encoding="utf-8"))))

    def tell(self, **news: Any) -> None:
        """Write a line for the parent."""
        self.news.write(json.dumps(news) + "\n")
        self.news.flush()

    def finish(self, trouble: str | None) -> NoReturn:
        """End whatever still runs, tell what all of it used, and end."""
        self.ending.set()
        with self.alone:  # two threads may come here; the first ends the process
            left = process_tree.end_children(SETTLE_S)
            process_tree.collect()
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.tell(over=True, trouble=trouble, left=left, cpu_s=used.ru_utime + used.ru_stime)
            if os.getppid() != self.parent:  # it was killed, and cannot clear up
                shutil.rmtree(self.folder, ignore_errors=True)
            os._exit(0)

    def _execute(self, task: dict[str, Any]) -> str | None:
        """Return why the notebook could not be executed to its end, where no cell tells that."""
        import nbclient
        import nbformat
        import papermill

        notebook = nbformat.read(task["notebook"], as_version=4)  # type: ignore[no-untyped-call]
        # The new parameters become a cell of their own, if there are any.
        count = sum(1 for cell in notebook.cells if _runs(cell)) + bool(task["settings"])
        number = 0

        def began(cell: Any, **_: Any) -> None:
            nonlocal number
            if _runs(cell):
                number += 1
                self.tell(cell=number, of=count)

        try:
            papermill.execute_notebook(
                notebook,  # not its path, in which papermill would replace what stands in braces
                str(self.folder / OUT).replace("{", "{{").replace("}", "}}"),
                parameters=task["settings"],
                kernel_name="python3",
                language="python",  # which not every notebook says
                start_timeout=KERNEL_START_S,
                store_widget_state=True,  # without it nbclient fails where something prints into a widget
                progress_bar=False,
                cwd=task["cwd"],
                on_cell_start=began,
            )
        except papermill.exceptions.PapermillExecutionError:
            return None
        except nbclient.exceptions.DeadKernelError:
            return "The kernel died, as it does where memory runs out."
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            lines = text.COLOURS.sub("", str(error)).strip().splitlines() or [""]
            return text.one_line(f"{type(error).__name__}: {lines[-1]}", limit=LONGEST_REASON)
        return None

    def _end_with_the_parent(self) -> None:
        while os.read(0, 1):
            pass
        for process in process_tree.below(os.getpid()):
            with contextlib.suppress(psutil.Error):
                if process.ppid() == os.getpid():  # the kernel; what it started may clear up, and then ends by itself
                    process.terminate()
        if not self.ending.wait(GIVE_UP_S):
            self.finish("It was ended.")


def _runs(cell: Any) -> bool:
    return cell.cell_type == "code" and bool(cell.source.strip())


if __name__ == "__main__":
    Program(Path(sys.argv[1])).run()
