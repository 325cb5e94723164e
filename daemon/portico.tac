"""Portico as a Twisted application: the router and its services in one process, for `twistd -y`.

twistd's own options stand on its command line, those of Portico in the variable PORTICO_DAEMON, as `twistd portico` has them:

    PORTICO_DAEMON='--config /etc/portico/portico.toml --log json' twistd --uid portico --gid portico --umask 027 \
        --rundir / --pidfile /run/portico/portico.pid --logfile /var/log/portico/portico.log -y portico.tac

`twistd portico --config ...`, which comes with the package, needs no file. Write one of your own where the router is to run
beside other services of yours, in the same application:

    application = portico.daemon.maker.application()
    MyService().setServiceParent(application)

docs/daemon.md has the order in which twistd goes about it, and the folders in which it works.
"""

from portico.daemon.maker import application as make

application = make()
