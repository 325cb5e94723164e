"""How gunicorn serves it in a container: one process with threads, and as many containers as are wanted."""

bind = "0.0.0.0:8000"
wsgi_app = "wsgi:application"
workers = 1
threads = 16
keepalive = 10  # seconds; longer than the router keeps an idle connection (idle_time, 4 s), so that it never loses the race
graceful_timeout = 10  # seconds that requests have after SIGTERM
worker_tmp_dir = "/dev/shm"  # noqa: S108  # the heartbeat's file must not lie on a disk; the root is read-only anyway
control_socket_disable = True
accesslog = "-"  # standard output
