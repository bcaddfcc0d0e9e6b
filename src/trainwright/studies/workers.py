"""Worker processes: one training per core, which is the fastest way found on CPU.

Each worker has NPROC=1, set before JAX is imported, so a run's result does not depend on the machine's
cores. A worker that dies costs the task it was at: that one is given out again, once. When the parent ends,
however it ends, its workers find their line cut and end too.

Messages are bytes of cloudpickle over a socket of their own, between a process and the one it started.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import cloudpickle

from trainwright.base.errors import TrainwrightError

Report = Callable[[Any], None]
Job = Callable[[Report], None]


class WorkerDied(TrainwrightError):
    """A task's worker ended twice without a word, as happens when memory runs out."""

    exit_code = 1


@dataclass
class Worker:
    """A process, the line to it, and the task it is at."""

    process: subprocess.Popen[bytes]
    line: Connection
    task: int | None = None


def run_tasks(tasks: Sequence[Job], workers: int) -> Iterator[Any]:
    """Run tasks in worker processes, and yield what they report as it comes.

    A task is called in a worker with a function to report by. A `TrainwrightError` in a task is raised
    here; so is any other exception, with the worker's trace. Raises `WorkerDied` if a task kills its worker
    twice.
    """
    waiting = list(reversed(range(len(tasks))))
    deaths = [0] * len(tasks)
    pool = [_start() for _ in range(min(workers, len(tasks)))]
    try:
        for worker in pool:
            _give(worker, tasks, waiting)
        while busy := [worker for worker in pool if worker.task is not None]:
            for line in wait([worker.line for worker in busy]):
                worker = next(one for one in busy if one.line is line)
                try:
                    kind, content = cloudpickle.loads(worker.line.recv_bytes())
                except (EOFError, ConnectionError):
                    task, code = worker.task, worker.process.wait()
                    assert task is not None
                    deaths[task] += 1
                    if deaths[task] > 1:
                        raise WorkerDied(_obituary(code)) from None
                    waiting.append(task)
                    worker.line.close()
                    pool[pool.index(worker)] = worker = _start()
                    kind, content = "done", None
                if kind == "report":
                    yield content
                elif kind == "error":
                    raise content
                else:
                    _give(worker, tasks, waiting)
    finally:
        for worker in pool:
            worker.line.close()
            worker.process.terminate()
        for worker in pool:
            worker.process.wait()


def _start() -> Worker:
    ours, theirs = socket.socketpair()
    # The same import path: a module beside the user's script, say, is found by the worker too.
    path = os.pathsep.join(part or os.getcwd() for part in sys.path)
    environment = os.environ | {"NPROC": "1", "PYTHONPATH": path}
    command = [sys.executable, "-m", "trainwright.studies.workers", str(theirs.fileno())]
    process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()])
    theirs.close()
    return Worker(process, Connection(ours.detach()))


def _give(worker: Worker, tasks: Sequence[Job], waiting: list[int]) -> None:
    worker.task = waiting.pop() if waiting else None
    if worker.task is not None:
        worker.line.send_bytes(cloudpickle.dumps(tasks[worker.task]))


def _obituary(code: int) -> str:
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"a worker process ended twice on the same task ({how}); if memory ran out, use fewer --workers"


def work(line: Connection) -> None:
    """A worker's life: take a task, run it, report, until the line is cut."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer

    def send(kind: str, content: Any = None) -> None:
        line.send_bytes(cloudpickle.dumps((kind, content)))

    try:
        while True:
            sent = line.recv_bytes()
            try:
                task = cloudpickle.loads(sent)  # may import what is not here
                task(lambda content: send("report", content))
            except ConnectionError:
                raise
            except Exception as error:
                if not isinstance(error, TrainwrightError):
                    error.add_note(f"in worker process {os.getpid()}")
                send("error", error)
            send("done")
    except (EOFError, ConnectionError):
        return


if __name__ == "__main__":
    work(Connection(int(sys.argv[1])))
