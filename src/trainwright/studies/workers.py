"""Worker processes: one training per core, which is the fastest way found on CPU.

Each worker has NPROC=1 (and OMP_NUM_THREADS=1, for the baselines), set before JAX is imported, so a run's
result does not depend on the machine's cores. A worker that dies costs the job it was at: that one is given
out again, once. When the parent ends, however it ends, its workers find their line cut and end too.

Messages are bytes of cloudpickle over a socket of their own, between a process and the one it started.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

import cloudpickle

from trainwright.base.errors import TrainwrightError

Report = Callable[[Any], None]


class WorkerDied(TrainwrightError):
    """A job's worker ended twice without a word, as happens when memory runs out."""

    exit_code = 1


class Job(NamedTuple):
    """What a worker is given to do."""

    program: Hashable
    """Which program it needs compiled, as a key: workers prefer those that they have."""
    run: Callable[[Report], None]
    """What the worker calls, with a function to report by."""


@dataclass
class Worker:
    """A process, the line to it, the job that it is at, and the programs that it has compiled."""

    process: subprocess.Popen[bytes]
    """A Python process that computes on one core."""
    line: Connection
    """The socket by which jobs are sent and reports received."""
    job: int | None = None
    """The index of the job that it is at; None while it has none."""
    programs: set[Hashable] = field(default_factory=set)
    """Those of all jobs that it has been given."""


class Pool:
    """Worker processes, started when there is work for them, until the pool is closed."""

    def __init__(self, workers: int) -> None:
        self._most = workers
        self._workers: list[Worker] = []

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers, whatever they are at."""
        for worker in self._workers:
            worker.line.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.wait()
        self._workers = []

    def run(self, jobs: Sequence[Job]) -> Iterator[Any]:
        """Run jobs in the workers, and yield what they report as it comes.

        A worker is given jobs whose program it has compiled, where there are any. A `TrainwrightError` in a
        job is raised here; so is any other exception, with the worker's trace. Raises `WorkerDied` if a job
        kills its worker twice. The pool runs nothing more after an error.
        """
        waiting = list(range(len(jobs)))
        deaths = [0] * len(jobs)
        while len(self._workers) < min(self._most, len(jobs)):
            self._workers.append(_start())
        for worker in self._workers:
            self._give(worker, jobs, waiting)
        while busy := [worker for worker in self._workers if worker.job is not None]:
            for line in wait([worker.line for worker in busy]):
                worker = next(worker for worker in busy if worker.line is line)
                try:
                    kind, content = cloudpickle.loads(worker.line.recv_bytes())
                except (EOFError, ConnectionError):
                    job, code = worker.job, worker.process.wait()
                    assert job is not None
                    deaths[job] += 1
                    if deaths[job] > 1:
                        raise WorkerDied(_obituary(code)) from None
                    waiting.insert(0, job)
                    worker.line.close()
                    self._workers[self._workers.index(worker)] = worker = _start()
                    kind, content = "done", None
                if kind == "report":
                    yield content
                elif kind == "error":
                    raise content
                else:
                    self._give(worker, jobs, waiting)

    def _give(self, worker: Worker, jobs: Sequence[Job], waiting: list[int]) -> None:
        """The next job: of a program that the worker has compiled, else one that no worker has, else any."""
        others = {program for other in self._workers if other is not worker for program in other.programs}

        def cost(job: int) -> int:
            program = jobs[job].program
            return 0 if program in worker.programs else 1 if program not in others else 2

        worker.job = min(waiting, key=cost, default=None)
        if worker.job is not None:
            waiting.remove(worker.job)
            worker.programs.add(jobs[worker.job].program)
            worker.line.send_bytes(cloudpickle.dumps(jobs[worker.job].run))


def _start() -> Worker:
    ours, theirs = socket.socketpair()
    # The same import path: a module beside the user's script, say, is found by the worker too.
    path = os.pathsep.join(part or os.getcwd() for part in sys.path)
    environment = os.environ | {"NPROC": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    command = [sys.executable, "-m", "trainwright.studies.workers", str(theirs.fileno())]
    process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()])
    theirs.close()
    return Worker(process, Connection(ours.detach()))


def _obituary(code: int) -> str:
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"a worker process ended twice on the same task ({how}); if memory ran out, use fewer --workers"


def work(line: Connection) -> None:
    """A worker's life: take a job, run it, report, until the line is cut."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer

    def send(kind: str, content: Any = None) -> None:
        line.send_bytes(cloudpickle.dumps((kind, content)))

    try:
        while True:
            sent = line.recv_bytes()
            try:
                run = cloudpickle.loads(sent)  # may import what is not here
                run(lambda content: send("report", content))
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
