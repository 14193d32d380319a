"""Processes on this machine: started, watched, ended."""

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


class Process:
    """A command that is ready when a URL answers 200. Ready when it is entered, ended when it is left."""

    def __init__(self, name, command, environment, ready_url):
        self.name, self.command, self.ready_url = name, command, ready_url
        self.environment = {"PATH": os.environ["PATH"], **environment}
        self.log = os.path.join(DIR, f"{name}.log")

    def __enter__(self):
        with open(self.log, "w") as log:
            began = time.monotonic()
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=DIR
            )
        try:
            while not self.ready():
                ended = self.process.poll()
                if ended is not None or time.monotonic() - began > READY_SECONDS:
                    why = "is not ready" if ended is None else f"ended with {ended}"
                    raise SystemExit(f"bench: {self.name} {why}; the end of its log:\n{self.last_words()}")
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
            with urllib.request.urlopen(self.ready_url, timeout=5) as reply:
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

    def peak(self):
        """The most resident bytes that it has had."""
        return peak_of(self.process.pid)

    def cpu_seconds(self):
        """Of the process and, for NGINX, of its workers."""
        return sum(cpu_of(pid) for pid in [self.process.pid, *children_of(self.process.pid)])

    def last_words(self):
        with open(self.log) as file:
            return "".join(file.readlines()[-10:])


class Program(Process):
    """A sub-command of shopmesh: a service, `all`, or the payment provider. With an address it has the ports of a pod."""

    def __init__(self, name, payment_url="http://127.0.0.1:1", address=None, peers=None, **more):
        host = address or "127.0.0.1"
        http, grpc, admin = (8080, 9090, 9091) if address else free_ports(3)
        self.url = f"http://{host}:{http}"
        self.grpc_url = f"http://{host}:{grpc}"
        self.admin_url = f"http://{host}:{admin}"
        environment = {
            "MONGO_URI": os.environ["MONGODB_URI"],
            "REDIS_URL": os.environ["REDIS_URL"],
            "SHOPMESH_POD": f"bench-{name}",
            "SHOPMESH_DATABASE_PREFIX": "bench",
            "SHOPMESH_REDIS_KEY_PREFIX": "bench:",
            "SHOPMESH_HTTP_ADDRESS": f"{host}:{http}",
            "SHOPMESH_GRPC_ADDRESS": f"{host}:{grpc}",
            "SHOPMESH_ADMIN_ADDRESS": f"{host}:{admin}",
            "SHOPMESH_PEER_URL": peers or self.grpc_url,
            "SHOPMESH_DRAIN_DELAY_SECONDS": "0",
            "SHOPMESH_ACCESS_TOKEN_TTL_SECONDS": "86400",
            # All load comes from one address.
            "SHOPMESH_RATE_LIMIT_REQUESTS": "1000000",
            "SHOPMESH_RATE_LIMIT_WINDOW_SECONDS": "1",
            "SHOPMESH_AUTH_RATE_LIMIT_REQUESTS": "1000000",
            "SHOPMESH_AUTH_RATE_LIMIT_WINDOW_SECONDS": "1",
            "SHOPMESH_KEY_SET_FILE": f"{DIR}/jwks.json",
            "SHOPMESH_SIGNING_KEY_FILE": f"{DIR}/signing.pem",
            "SHOPMESH_ADMIN_EMAIL_FILE": f"{DIR}/admin-email",
            "SHOPMESH_ADMIN_PASSWORD_FILE": f"{DIR}/admin-password",
            "SHOPMESH_PAYMENT_URL": payment_url,
            "SHOPMESH_PAYMENT_API_KEY_FILE": f"{DIR}/psp-key",
            "SANDBOX_PSP_ADDRESS": f"{host}:{http}",
            "SANDBOX_PSP_ADMIN_ADDRESS": f"{host}:{admin}",
            "SANDBOX_PSP_API_KEY_FILE": f"{DIR}/psp-key",
            **more,
        }
        super().__init__(name, [os.environ["SHOPMESH"], name], environment, f"{self.admin_url}/readyz")

    def metric(self, name, labels=""):
        """The sum of a metric over all label values that contain this text."""
        with urllib.request.urlopen(f"{self.admin_url}/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
        mine = (line for line in lines if line.startswith((f"{name}{{", f"{name} ")) and labels in line)
        return sum(float(line.rpartition(" ")[2]) for line in mine)


class Running:
    """A server that somebody else started: tests/servers."""

    def __init__(self, name):
        self.name = name
        with open(os.path.join(os.environ["SERVERS_DIR"], "processes")) as file:
            self.pid = next(int(line.split()[1]) for line in file if line.split()[0] == name)

    def cpu_seconds(self):
        return cpu_of(self.pid)


def memory_of(pid):
    """Resident bytes of a process."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * PAGE


def peak_of(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM:"))


def cpu_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]
