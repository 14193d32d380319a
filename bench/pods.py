"""A shop as a cluster runs it: one process for each service, each with an address of its own, behind NGINX with the very
configuration that the operator writes. And what it is compared with, behind the same NGINX."""

import json
import os
import re
from contextlib import ExitStack

from programs import DIR, Process, Program, Running

SERVICES = ["identity", "catalog", "inventory", "cart", "payment", "order", "edge"]
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../operator/tests/golden/minimal.objects.yaml")
# bench/run gives these addresses to the names in PEERS.
ADDRESSES = {name: f"127.0.1.{n}" for n, name in enumerate(SERVICES, 1)}
PEERS = "http://bench-{service}:9090"
PROVIDER, NGINX = "127.0.1.20", "127.0.1.30"
NAIVE_CATALOG, NAIVE_ORDERS, NAIVE_NGINX = "127.0.1.40", "127.0.1.41", "127.0.1.42"
NAIVE_USERS = "127.0.1.43"
BARE, BARE_NGINX = "127.0.1.50", "127.0.1.51"


def hosts():
    """Lines for /etc/hosts."""
    return "".join(f"{address} bench-{name}\n" for name, address in ADDRESSES.items())


class Stack:
    """Processes with a front. Up when it is entered, ended when it is left."""

    def __enter__(self):
        with ExitStack() as stack:
            self.processes = self.start(stack)
            self.end = stack.pop_all().close
        self.processes += [Running("mongod"), Running("redis")]
        return self

    def __exit__(self, *_):
        self.end()

    def cpu(self):
        """Processor seconds so far, by process."""
        return {process.name: process.cpu_seconds() for process in self.processes}


class Shop(Stack):
    url = f"http://{NGINX}:8080"

    def __init__(self, **settings):
        self.settings = settings

    def start(self, stack):
        provider = stack.enter_context(Program("sandbox-psp", address=PROVIDER))
        self.services = [
            stack.enter_context(Program(name, provider.url, ADDRESSES[name], PEERS, **self.settings)) for name in SERVICES
        ]
        return [provider, *self.services, stack.enter_context(nginx("nginx", NGINX, ADDRESSES))]

    def transactions(self):
        return sum(service.metric("mongodb_transactions_total", 'ended="committed"') for service in self.services)


class Naive(Stack):
    """The naive services that take orders."""

    url = f"http://{NAIVE_NGINX}:8080"

    def start(self, stack):
        catalog = f"http://{NAIVE_CATALOG}:8080"
        products = self.node(stack, "products", NAIVE_CATALOG)
        orders = self.node(stack, "orders", NAIVE_ORDERS, NAIVE_CATALOG_URL=catalog)
        return [products, orders, self.front(stack, NAIVE_ORDERS)]

    def node(self, stack, name, address, **more):
        environment = {"MONGO_URI": os.environ["MONGODB_URI"], "NAIVE_ADDRESS": f"{address}:8080", "NODE_ENV": "production"}
        script = os.path.join(os.environ["NAIVE"], f"{name}.js")
        ready = f"http://{address}:8080/readyz"
        return stack.enter_context(Process(f"naive-{name}", ["node", script], {**environment, **more}, ready))

    def front(self, stack, address):
        """The catalog is where it is; all other paths lead to one address."""
        addresses = {**dict.fromkeys(SERVICES, address), "catalog": NAIVE_CATALOG}
        return stack.enter_context(nginx("naive-nginx", NAIVE_NGINX, addresses))


class NaiveCalls(Naive):
    """The naive services that take people and products."""

    def start(self, stack):
        products = self.node(stack, "products", NAIVE_CATALOG)
        users = self.node(stack, "users", NAIVE_USERS)
        return [products, users, self.front(stack, NAIVE_USERS)]


class Bare(Stack):
    """A handler that answers bytes; `answers` has them by path and query."""

    url = f"http://{BARE_NGINX}:8080"

    def __init__(self, answers):
        self.answers = answers

    def start(self, stack):
        file = os.path.join(DIR, "answers.json")
        with open(file, "w") as answers:
            json.dump({**self.answers, "/readyz": "true"}, answers)
        command = [os.environ["BARE"], "serve", file, "--address", f"{BARE}:8080"]
        bare = stack.enter_context(Process("bare", command, {}, f"http://{BARE}:8080/readyz"))
        return [bare, stack.enter_context(nginx("bare-nginx", BARE_NGINX, dict.fromkeys(SERVICES, BARE)))]


def nginx(name, address, upstreams):
    """NGINX with the configuration that the operator's golden files hold; only addresses and folders are those of this run."""
    folder = os.path.join(DIR, name)
    os.makedirs(folder, exist_ok=True)
    text = configuration()
    for service, upstream in upstreams.items():
        text, count = re.subn(rf"(upstream {service} {{\s+server )[^;]+;", rf"\g<1>{upstream}:8080;", text)
        if count != 1:
            raise SystemExit(f"bench: the operator's configuration of NGINX has no upstream {service}")
    text = re.sub(r"listen (8080|8081)", rf"listen {address}:\g<1>", text).replace(" /tmp/", f" {folder}/")
    file = os.path.join(folder, "nginx.conf")
    with open(file, "w") as config:
        config.write(text)
    command = ["nginx", "-e", "stderr", "-c", file, "-g", "daemon off; user root;"]
    return Process(name, command, {}, f"http://{address}:8080/nginx-health")


def configuration():
    with open(GOLDEN) as file:
        lines = iter(file.read().splitlines())
    start = next(line for line in lines if line.strip() == "nginx.conf: |")
    indent = len(start) - len(start.lstrip()) + 2
    text = []
    for line in lines:
        if line and not line.startswith(" " * indent):
            break
        text.append(line[indent:])
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    print(hosts(), end="")
