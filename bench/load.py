"""Clients that send the same kind of request again and again over connections of their own, and what came of it.

Python is slow for this: the clients take processor time from the shop, so the report says how much. They run in a few
processes of several threads each.
"""

import collections
import concurrent.futures
import http.client
import itertools
import json
import multiprocessing
import os
import secrets
import threading
import time
import urllib.parse
from dataclasses import dataclass, field

PROCESSES = 4
PRODUCTS = 64


@dataclass
class Job:
    """A request that one client repeats. `keyed`: each with a new Idempotency-Key."""

    method: str
    paths: list
    body: bytes = None
    token: str = None
    keyed: bool = False
    wanted: int = 200

    def headers(self):
        headers = {"Content-Type": "application/json"} if self.body else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.keyed:
            headers["Idempotency-Key"] = secrets.token_hex(16)
        return headers


@dataclass
class Result:
    """Seconds that each good answer took; how often there was another one; processor seconds of the clients."""

    seconds: float = 0.0
    good: list = field(default_factory=list)
    other: collections.Counter = field(default_factory=collections.Counter)
    cpu: float = 0.0


def repeat(base, job, until, result, lock):
    """One client."""
    host = urllib.parse.urlsplit(base).netloc
    connection = http.client.HTTPConnection(host, timeout=30)
    good, other = [], collections.Counter()
    for path in itertools.cycle(job.paths):
        began = time.monotonic()
        if began >= until:
            break
        try:
            connection.request(job.method, path, job.body, job.headers())
            reply = connection.getresponse()
            text = reply.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            other[type(error).__name__] += 1
            continue
        if reply.status == job.wanted:
            good.append(time.monotonic() - began)
        else:
            other[f"{reply.status} {code_of(text)}"] += 1
    connection.close()
    with lock:
        result.good += good
        result.other += other


def code_of(text):
    try:
        return json.loads(text).get("code", "")
    except (ValueError, AttributeError):
        return ""


def share(base, jobs, seconds):
    """The clients of one process."""
    result, lock = Result(), threading.Lock()
    busy = time.process_time()
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=repeat, args=(base, job, until, result, lock)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result.cpu = time.process_time() - busy
    return result


def run(base, jobs, clients, seconds):
    """Lets all clients work for so long."""
    shares = [jobs[n::PROCESSES] for n in range(PROCESSES)]
    total = Result()
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        began = time.monotonic()
        parts = pool.starmap(share, [(base, part, seconds) for part in shares])
        total.seconds = time.monotonic() - began
    for part in parts:
        total.good += part.good
        total.other += part.other
        total.cpu += part.cpu
    return total


class Scene:
    """Products on sale, and a customer for each client."""

    def __init__(self, base, staff, products, customers):
        self.base, self.staff, self.products, self.customers = base, staff, products, customers

    @classmethod
    def prepare(cls, base, clients):
        def secret(name):
            with open(os.path.join(os.environ["DIR"], name)) as file:
                return file.read()

        login = {"email": secret("admin-email"), "password": secret("admin-password")}
        staff = call(base, "POST", "/api/v1/auth/login", login)["token"]
        run = secrets.token_hex(4)

        def product(n):
            price = {"amount": 1000 + n, "currency": "EUR"}
            body = {"name": f"Product {n} {run}", "sku": f"sku-{n}-{run}", "price": price, "stock": 1_000_000}
            return call(base, "POST", "/api/v1/products", body, staff, secrets.token_hex(8))

        def customer(n):
            body = {"email": f"{n}-{run}@bench.example", "password": secrets.token_urlsafe(16), "name": "Ada"}
            return call(base, "POST", "/api/v1/auth/register", body)["token"]

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            products = list(pool.map(product, range(PRODUCTS)))
            customers = list(pool.map(customer, range(clients)))
        return cls(base, staff, products, customers)

    def reads(self):
        paths = [f"/api/v1/products/{product['id']}" for product in self.products]
        return [Job("GET", paths[n % PRODUCTS :] + paths[: n % PRODUCTS]) for n in range(len(self.customers))]

    def lists(self):
        return [Job("GET", ["/api/v1/products?size=20"]) for _ in self.customers]

    def orders(self):
        def job(n, token):
            line = {"productId": self.products[n % PRODUCTS]["id"], "quantity": 1}
            body = json.dumps({"items": [line], "payment": {"method": "tok_visa"}}).encode()
            return Job("POST", ["/api/v1/orders"], body, token, keyed=True, wanted=201)

        return [job(n, token) for n, token in enumerate(self.customers)]

    def wait_until_paid(self, seconds):
        """Whether no order is on its way to paid any more, in time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pages = [call(self.base, "GET", f"/api/v1/orders?size=1&status={status}", token=self.staff) for status in ("placed", "confirmed")]
            if not any(page["page"]["total"] for page in pages):
                return True
            time.sleep(0.1)
        return False


def call(base, method, path, body=None, token=None, key=None):
    """One call that must succeed."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(base).netloc, timeout=30)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if key:
        headers["Idempotency-Key"] = key
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    if reply.status >= 300:
        raise SystemExit(f"bench: {method} {path} was answered {reply.status}: {text.decode()}")
    return json.loads(text)
