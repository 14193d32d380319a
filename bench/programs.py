"""Processes of the shop on free ports of this machine: started, watched, ended."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request

DIR = os.environ["DIR"]
READY_SECONDS = 60
STOP_SECONDS = 30
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class Program:
    """One process: a service, `all`, or the payment provider. Ready when it is entered, ended when it is left."""

    def __init__(self, name, payment_url="http://127.0.0.1:1"):
        http, grpc, admin = free_ports(3)
        self.name = name
        self.url = f"http://127.0.0.1:{http}"
        self.admin = admin
        self.log = os.path.join(DIR, f"{name}.log")
        self.env = {
            "PATH": os.environ["PATH"],
            "MONGO_URI": os.environ["MONGODB_URI"],
            "REDIS_URL": os.environ["REDIS_URL"],
            "SHOPMESH_DATABASE_PREFIX": "bench",
            "SHOPMESH_REDIS_KEY_PREFIX": "bench:",
            "SHOPMESH_HTTP_ADDRESS": f"127.0.0.1:{http}",
            "SHOPMESH_GRPC_ADDRESS": f"127.0.0.1:{grpc}",
            "SHOPMESH_ADMIN_ADDRESS": f"127.0.0.1:{admin}",
            "SHOPMESH_PEER_URL": f"http://127.0.0.1:{grpc}",
            "SHOPMESH_DRAIN_DELAY_SECONDS": "0",
            "SHOPMESH_KEY_SET_FILE": f"{DIR}/jwks.json",
            "SHOPMESH_SIGNING_KEY_FILE": f"{DIR}/signing.pem",
            "SHOPMESH_ADMIN_EMAIL_FILE": f"{DIR}/admin-email",
            "SHOPMESH_ADMIN_PASSWORD_FILE": f"{DIR}/admin-password",
            "SHOPMESH_PAYMENT_URL": payment_url,
            "SHOPMESH_PAYMENT_API_KEY_FILE": f"{DIR}/psp-key",
            "SANDBOX_PSP_ADDRESS": f"127.0.0.1:{http}",
            "SANDBOX_PSP_ADMIN_ADDRESS": f"127.0.0.1:{admin}",
            "SANDBOX_PSP_API_KEY_FILE": f"{DIR}/psp-key",
        }

    def __enter__(self):
        with open(self.log, "w") as log:
            began = time.monotonic()
            self.process = subprocess.Popen(
                [os.environ["SHOPMESH"], self.name], env=self.env, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        try:
            while not self.ready():
                if self.process.poll() is not None or time.monotonic() - began > READY_SECONDS:
                    raise SystemExit(f"bench: {self.name} is not ready; the end of its log:\n{self.last_words()}")
                time.sleep(0.005)
            self.ready_after = time.monotonic() - began
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=5) as reply:
                return reply.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            print(f"bench: {self.name} did not stop within {STOP_SECONDS} s and was killed")

    def memory(self):
        return memory_of(self.process.pid)

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def last_words(self):
        with open(self.log) as file:
            return "".join(file.readlines()[-10:])


def memory_of(pid):
    """Resident bytes of a process."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * PAGE
