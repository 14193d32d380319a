"""A shop to be judged: all services in one process, the payment provider beside it, NGINX with the operator's configuration in
front; and the people and goods that are there before a judge comes. Processes and NGINX are started as the benchmarks do."""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench"))

from pods import SERVICES, nginx  # noqa: E402  found above
from programs import DIR, Program  # noqa: E402

ALL, PROVIDER, NGINX = "127.0.2.1", "127.0.2.2", "127.0.2.3"
URL = f"http://{NGINX}:8080"
PASSWORD = "correct horse battery staple"
PRODUCTS = 20
SETTLE_SECONDS = 60


class Shop:
    """Up and stocked when it is entered, ended when it is left."""

    url = URL

    def __enter__(self):
        with ExitStack() as stack:
            provider = Program("sandbox-psp", address=PROVIDER)
            provider.environment |= {
                "SANDBOX_PSP_PUBLIC_URL": provider.url,
                "SANDBOX_PSP_WEBHOOK_SECRET_FILE": f"{DIR}/psp-webhooks",
                "SANDBOX_PSP_WEBHOOK_URL": f"http://{ALL}:8080/api/v1/payments/webhooks/sandbox",
            }
            services = Program("all", provider.url, ALL)
            services.environment |= {"SHOPMESH_PAYMENT_WEBHOOK_SECRET_FILE": f"{DIR}/psp-webhooks"}
            stack.enter_context(provider)
            stack.enter_context(services)
            stack.enter_context(nginx("nginx", NGINX, dict.fromkeys(SERVICES, ALL)))
            stock()
            self.end = stack.pop_all().close
        return self

    def __exit__(self, *_):
        self.end()


def call(method, path, body=None, token=None, headers=None):
    """The body of a successful answer. A shop that has just started may say for a moment that it cannot answer."""
    headers = {"Idempotency-Key": os.urandom(8).hex(), **(headers or {})}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body is not None:
        headers["Content-Type"] = "application/json"
    data = None if body is None else json.dumps(body).encode()
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            request = urllib.request.Request(URL + path, data, headers, method=method)
            with urllib.request.urlopen(request, timeout=30) as reply:
                return json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > deadline:
                raise SystemExit(f"judges: {method} {path} answered {error.code}: {error.read().decode()}") from error
            time.sleep(0.5)


def register():
    """A new customer: token and user."""
    email = f"{os.urandom(8).hex()}@judges.example"
    return call("POST", "/api/v1/auth/register", {"email": email, "password": PASSWORD, "name": "Ada"})


def log_in(email, password=PASSWORD):
    return call("POST", "/api/v1/auth/login", {"email": email, "password": password})["token"]


def admin():
    """A token of the admin from the mounted files."""
    with open(f"{DIR}/admin-email") as email, open(f"{DIR}/admin-password") as password:
        return log_in(email.read(), password.read())


def appointed(role):
    """A token of a new person in a role."""
    user = register()["user"]
    boss = admin()
    version = call("GET", f"/api/v1/users/{user['id']}", token=boss)["version"]
    call("PUT", f"/api/v1/users/{user['id']}/roles", {"role": role}, boss, {"If-Match": f'"{version}"'})
    return log_in(user["email"])


def stock():
    """New products in a category of their own, with more pieces than judges can buy: their ids, once all can be had. Those that
    were there before may have been changed or taken off the shelf by a judge who was allowed to."""
    staff = appointed("staff")
    tag = os.urandom(4).hex()
    category = call("POST", "/api/v1/categories", {"name": f"Mugs {tag}"}, staff)
    products = []
    for n in range(PRODUCTS):
        price = {"amount": 1000 + n, "currency": "EUR"}
        body = {"name": f"Mug {n}", "sku": f"mug-{tag}-{n}", "categoryId": category["id"], "price": price, "stock": 1_000_000}
        products.append(call("POST", "/api/v1/products", body, staff)["id"])
    deadline = time.monotonic() + SETTLE_SECONDS
    while call("GET", f"/api/v1/products?inStock=true&category={category['id']}")["page"]["total"] < PRODUCTS:
        if time.monotonic() > deadline:
            raise SystemExit(f"judges: the stock of the products is not shown after {SETTLE_SECONDS} s")
        time.sleep(0.2)
    return products
