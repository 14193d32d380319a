"""Fills the demo shop and buys from it: products by the admin, an order by a new customer.

Reads BASE_URL, ADMIN_EMAIL and ADMIN_PASSWORD; talks to the shop as any client would. Only the standard library.
"""

import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request

BASE = os.environ["BASE_URL"]
PRODUCTS = [
    ("Blue mug", "Stoneware, 0.3 l, dishwasher safe", "mug-blue", 1290, 40),
    ("Linen tea towel", "Pure linen, 50 x 70 cm", "towel-linen", 990, 120),
    ("French press", "Borosilicate glass, 1 l", "press-1l", 3490, 15),
    ("Espresso beans", "1 kg, roasted last week", "beans-1kg", 2250, 60),
]


def call(method, path, body=None, token=None, **headers):
    """One call; a refusal ends the demo with the shop's own words."""
    request = urllib.request.Request(BASE + path, method=method)
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, data, timeout=30) as reply:
            text = reply.read()
            return reply.status, json.loads(text) if text else None
    except urllib.error.HTTPError as refusal:
        sys.exit(f"{method} {path} was answered {refusal.code}: {refusal.read().decode()}")


def product(token, name, description, sku, price, stock):
    """Creates a product once: the key makes a second run of the demo find the first one's product."""
    body = {
        "name": name,
        "description": description,
        "sku": sku,
        "price": {"amount": price, "currency": "EUR"},
        "stock": stock,
    }
    _, made = call("POST", "/api/v1/products", body, token, Idempotency_Key=f"demo-{sku}")
    print(f"   {name}: {price / 100:.2f} EUR, {stock} in stock")
    return made


def main():
    admin = {"email": os.environ["ADMIN_EMAIL"], "password": os.environ["ADMIN_PASSWORD"]}
    _, login = call("POST", "/api/v1/auth/login", admin)
    for entry in PRODUCTS:
        product(login["token"], *entry)

    customer = {"email": f"ada-{secrets.token_hex(4)}@example.com", "password": secrets.token_urlsafe(16), "name": "Ada"}
    _, session = call("POST", "/api/v1/auth/register", customer)
    token = session["token"]
    print(f"   registered customer {session['user']['number']}")

    _, cart = call("POST", "/api/v1/carts", {}, token)
    for sku, quantity in (("mug-blue", 2), ("beans-1kg", 1)):
        _, cart = call("POST", f"/api/v1/carts/{cart['id']}/items", {"sku": sku, "quantity": quantity}, token)
    print(f"   cart of {cart['total']['amount'] / 100:.2f} {cart['total']['currency']}")

    order = {"cartId": cart["id"], "payment": {"method": "tok_visa"}}
    began = time.monotonic()
    status, placed = call("POST", "/api/v1/orders", order, token, Idempotency_Key=secrets.token_hex(16))
    took = (time.monotonic() - began) * 1000
    print(f"   order {placed['number']} answered {status} {placed['status']} after {took:.0f} ms")

    for _ in range(100):
        _, placed = call("GET", f"/api/v1/orders/{placed['id']}", token=token)
        if placed["status"] == "paid":
            break
        time.sleep(0.2)
    if placed["status"] != "paid":
        sys.exit(f"order {placed['id']} is {placed['status']} and not paid after 20 s")
    steps = " -> ".join(step["status"] for step in placed["history"])
    print(f"   order {placed['number']} is paid: {placed['total']['amount'] / 100:.2f} {placed['total']['currency']} ({steps})")

    _, mug = call("GET", "/api/v1/stock/mug-blue", token=login["token"])
    print(f"   stock of mug-blue: available {mug['available']}, reserved {mug['reserved']}, sold {mug['sold']}")


main()
