"""What clients are told to send, and what came of it. The clients are a program of their own (bench/load)."""

import concurrent.futures
import http.client
import json
import os
import secrets
import subprocess
import time
import urllib.parse
from dataclasses import asdict, dataclass

PRODUCTS = 64
# Accounts cost a password hash each; clients beyond these share them.
CUSTOMERS = 32
WARM_UP_SECONDS = 3
LIST = "/api/v1/products?size=20"


@dataclass
class Step:
    """A request. `{fresh}` in its body and, when it is `keyed`, its Idempotency-Key are new each time; with a `name`, that stands
    before its answers."""

    method: str
    target: str
    body: str = None
    token: str = None
    keyed: bool = False
    name: str = None


@dataclass
class Job:
    """What one client sends, step after step, again and again."""

    steps: list
    pause_seconds: float = 0


def repeat(method, targets, **more):
    """A job of one call on several targets."""
    return Job([Step(method, target, **more) for target in targets])


class Result:
    """The report of the clients; `wanted` is the answer that counts."""

    def __init__(self, report, wanted):
        self.seconds, self.cpu = report["seconds"], report["cpu_seconds"]
        self.answers = report["answers"]
        self.good = self.answers.get(wanted, {"count": 0})
        self.other = {answer: times["count"] for answer, times in self.answers.items() if answer != wanted}

    @property
    def per_second(self):
        return self.good["count"] / self.seconds


def run(url, jobs, clients, seconds, wanted="200", warm_up=WARM_UP_SECONDS):
    """Lets so many clients work for so long. A figure of nothing but refusals would be none."""
    plan = {
        "address": urllib.parse.urlsplit(url).netloc,
        "warm_up_seconds": warm_up,
        "seconds": seconds,
        "rate": None,
        "clients": [asdict(jobs[n % len(jobs)]) for n in range(clients)],
    }
    path = os.path.join(os.environ["DIR"], "plan.json")
    with open(path, "w") as file:
        json.dump(plan, file)
    result = Result(program("http", path), wanted)
    for name in {step.name for job in jobs for step in job.steps}:
        if not any(answer.startswith(f"{name} 2" if name else wanted) for answer in result.answers):
            others = {answer: times["count"] for answer, times in result.answers.items()}
            raise SystemExit(f"bench: {url} never answered {name or jobs[0].steps[0].target} as it should: {others}")
    return result


def program(*arguments, of="LOAD"):
    """What a program of bench/ answers: that of this variable, by default the clients."""
    done = subprocess.run([os.environ[of], *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(done.args)} failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


def order_of(product, **more):
    return json.dumps({"items": [{"productId": product, "quantity": 1}], **more})


class Scene:
    """Products on sale, and customers."""

    def __init__(self, base, staff, products, customers):
        self.base, self.staff, self.products, self.customers = base, staff, products, customers

    @classmethod
    def prepare(cls, base):
        def secret(name):
            with open(os.path.join(os.environ["DIR"], name)) as file:
                return file.read()

        login = {"email": secret("admin-email"), "password": secret("admin-password")}
        staff = call(base, "POST", "/api/v1/auth/login", login)["token"]
        run = secrets.token_hex(4)

        def product(n):
            price = {"amount": 1000 + n, "currency": "EUR"}
            body = {"name": f"Product {n} {run}", "sku": f"sku-{n}-{run}", "price": price, "stock": 1_000_000}
            return call(base, "POST", "/api/v1/products", body, staff, secrets.token_hex(8))["id"]

        def customer(n):
            body = {"email": f"{n}-{run}@bench.example", "password": secrets.token_urlsafe(16), "name": "Ada"}
            return call(base, "POST", "/api/v1/auth/register", body)["token"]

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            products = list(pool.map(product, range(PRODUCTS)))
            customers = list(pool.map(customer, range(CUSTOMERS)))
        return cls(base, staff, products, customers)

    def reads(self):
        paths = [f"/api/v1/products/{product}" for product in self.products]
        return [repeat("GET", paths[n:] + paths[:n]) for n in range(PRODUCTS)]

    def lists(self):
        return [repeat("GET", [LIST])]

    def orders(self):
        paid = {"payment": {"method": "tok_visa"}}
        bodies = [order_of(product, **paid) for product in self.products]
        return [
            repeat("POST", ["/api/v1/orders"], body=bodies[n], token=self.customers[n % CUSTOMERS], keyed=True)
            for n in range(PRODUCTS)
        ]

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
