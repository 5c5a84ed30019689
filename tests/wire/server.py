"""The server, as a process of its own on a free port of the loopback interface, stopped by its process id."""

import os
import signal
import socket
import subprocess
import time

# How long it may take to start and to stop, in seconds.
PATIENCE = 30


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """Runs from the moment it is made until it is stopped or killed."""

    def __init__(self, log, *arguments):
        self.binary = os.environ["SOFTTOKEN_COGNITO"]
        self.log = log
        self.arguments = arguments
        self.start()

    def start(self):
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        command = [self.binary, "--listen", f"127.0.0.1:{self.port}", *self.arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    raise RuntimeError(f"the server does not listen:\n{self.said()}") from None
                time.sleep(0.05)

    def said(self):
        """What it has written to the console."""
        return self.log.read_text(errors="replace")

    def stop(self):
        """Asks it to end, and tells its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
