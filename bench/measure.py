"""Measures what bench/run was asked for and prints it. Which figures there are stands here; how each is had, beside it."""

import os
import platform
import statistics
import sys
import time

import calls
import cluster
import hot
import load
import orders
from pods import SERVICES
from programs import Program

STARTS = 5
IDLE_SECONDS = 5
# How long the consumers of events may take after the last order.
CALM_SECONDS = 120


def figure(name, value):
    print(f"{name:<60} {value}", flush=True)


def heading(text):
    print(f"\n== {text}", flush=True)


def machine():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    figure("machine", f"{os.cpu_count()} cores, {model}")
    figure("load of the last minute, before", f"{os.getloadavg()[0]:.1f}")
    program = os.environ["SHOPMESH"]
    figure("program", f"{program}, {os.path.getsize(program) / 1e6:.0f} MB")


def starts(figure, heading):
    """The first start of each makes its collections and indexes; those that follow find them."""
    heading(f"process started -> /readyz says ready: first, then median of {STARTS}; memory {IDLE_SECONDS} s later")
    for name in [*SERVICES, "all"]:
        times = []
        for _ in range(1 + STARTS):
            with Program(name) as program:
                times.append(program.ready_after)
                if len(times) == 1 + STARTS:
                    time.sleep(IDLE_SECONDS)
                    memory = program.memory()
        first, *again = (1000 * seconds for seconds in times)
        figure(name, f"first {first:5.0f} ms   again {statistics.median(again):5.0f} ms   {memory / 1e6:5.1f} MB")


def loads(figure, heading):
    clients, seconds = int(os.environ["BENCH_CLIENTS"]), float(os.environ["BENCH_SECONDS"])
    with Program("sandbox-psp") as provider, Program("all", payment_url=provider.url) as shop:
        heading(f"`shopmesh all` with the payment provider beside it, {clients} clients")
        figure("memory before the first request", f"{shop.memory() / 1e6:.1f} MB")
        scene = load.Scene.prepare(shop.url)
        figure(f"memory after {load.PRODUCTS} products and {load.CUSTOMERS} registrations", f"{shop.memory() / 1e6:.1f} MB")
        for name, jobs, wanted, length in [
            ("GET one product", scene.reads(), "200", seconds / 2),
            ("GET 20 products", scene.lists(), "200", seconds / 2),
            ("POST an order of one line", scene.orders(), "201", seconds),
        ]:
            heading(f"{name}, {length:.0f} s")
            before = shop.cpu_seconds()
            result = load.run(shop.url, jobs, clients, length, wanted)
            report(result, shop.cpu_seconds() - before)
        began = time.monotonic()
        paid = scene.wait_until_paid(CALM_SECONDS)
        figure("all of them paid after", f"{time.monotonic() - began:.1f} s more" if paid else f"NOT within {CALM_SECONDS} s")
        figure("memory afterwards", f"{shop.memory() / 1e6:.1f} MB")


def report(result, cpu):
    figure("per second", f"{result.per_second:.0f}")
    if result.good["count"]:
        figure("ms, half within / 99 % within", f"{result.good['p50']:.1f} / {result.good['p99']:.1f}")
        # The warm-up was work too.
        asked = result.good["count"] * (1 + load.WARM_UP_SECONDS / result.seconds)
        figure("processor time of the shop for each request", f"{1000 * cpu / asked:.2f} ms")
    figure("processor time of the clients, share of a core", f"{result.cpu / result.seconds:.0%}")
    for answer, count in sorted(result.other.items()):
        figure(f"answered otherwise: {answer}", count)


PARTS = {
    "start": starts,
    "load": loads,
    "calls": calls.measure,
    "orders": orders.compare,
    "hot": hot.measure,
    "growth": orders.grow,
    "cluster": cluster.measure,
}

machine()
for part in sys.argv[1:]:
    PARTS[part](figure, heading)
figure("\nload of the last minute, after", f"{os.getloadavg()[0]:.1f}")
