"""A parent whose processes are played."""

from portico.drains import FROM_DRAINS
from portico.workers import READY, TO_PARENT, Worker, Workers
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IReactorProcess
from twisted.python.failure import Failure
from zope.interface import implementer

from .reactor import HandReactor
from .wires import as_reactor


class Played:
    """A process that does nothing by itself."""

    def __init__(self, worker: Worker, pid: int) -> None:
        self.worker, self.pid = worker, pid
        self.signals: list[int] = []
        self.over = False
        self.told: list[bytes] = []
        self.pipes = {FROM_DRAINS}

    def writeToChild(self, descriptor: int, data: bytes) -> None:
        if descriptor not in self.pipes:
            raise KeyError(descriptor)
        self.told.append(data)

    def closeChildFD(self, descriptor: int) -> None:
        self.pipes.remove(descriptor)

    def signalProcess(self, number: int) -> None:
        if self.over:
            raise ProcessExitedAlready
        self.signals.append(number)

    def ready(self) -> None:
        self.worker.childDataReceived(TO_PARENT, READY)

    def ends(self, status: int = 0, number: int | None = None) -> None:
        self.over = True
        error = ProcessTerminated(status, number) if status or number else ProcessDone(0)
        self.worker.processEnded(Failure(error))


@implementer(IReactorProcess)
class Spawning(HandReactor):
    """Plays processes."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[Played] = []
        self.commands: list[list[str]] = []

    # of the interface as much as workers use
    def spawnProcess(  # type: ignore[override]
        self, protocol: Worker, executable: str, args: list[str], **more: object
    ) -> Played:
        self.commands.append(args)
        self.started.append(Played(protocol, 1_000 + len(self.started)))
        return self.started[-1]


class Stage:
    def __init__(self) -> None:
        self.reactor = Spawning()
        self.workers = Workers(2, lambda number: ["portico", str(number)], as_reactor(self.reactor))
        self.gone: list[int] = []
        self.workers.gone.addCallback(self.gone.append)
        self.workers.start()

    @property
    def states(self) -> list[str]:
        return [worker.state for worker in self.workers.all]
