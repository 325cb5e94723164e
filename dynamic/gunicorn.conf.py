"""How gunicorn serves it in a container: one process with threads, and as many containers as are wanted."""

import signal
from types import FrameType

from gunicorn.workers.gthread import ThreadWorker

bind = "0.0.0.0:8000"
wsgi_app = "wsgi:application"
workers = 1
threads = 16
keepalive = 10  # seconds; longer than the router keeps an idle connection (idle_time, 4 s), so that it never loses the race
graceful_timeout = 10  # seconds that requests have after SIGTERM
worker_tmp_dir = "/dev/shm"  # noqa: S108  # the heartbeat's file must not lie on a disk; the root is read-only anyway
control_socket_disable = True
accesslog = "-"  # standard output


def post_worker_init(worker: ThreadWorker) -> None:
    """Close the port as soon as a stop begins.

    gunicorn's threads accept nothing more from then on, but the port stays open until the last request is done, and what the
    kernel takes in meanwhile is reset. A closed port refuses, so the router asks another replica, whatever the method.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        worker.handle_exit(number, frame)
        worker.method_queue.defer(close_port)  # in the worker's own loop

    def close_port() -> None:
        worker.set_accept_enabled(False)
        for listener in worker.sockets:
            before = -1
            while before != worker.nr_conns:  # who is in the queue already is served
                before = worker.nr_conns
                worker.accept(listener)
            listener.close()

    signal.signal(signal.SIGTERM, stop)
