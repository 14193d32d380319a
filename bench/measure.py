"""Measures what bench/run was asked for and prints it. Which figures there are stands here; how each is had, beside it."""

import os
import platform
import statistics
import sys
import time

import cluster
import load
from programs import Program

SERVICES = ["identity", "catalog", "inventory", "cart", "payment", "order", "edge"]
STARTS = 5
IDLE_SECONDS = 5
# How long the consumers of events may take after the last order.
CALM_SECONDS = 120


def figure(name, value):
    print(f"{name:<48} {value}", flush=True)


def heading(text):
    print(f"\n== {text}", flush=True)


def machine():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    figure("machine", f"{os.cpu_count()} cores, {model}")
    figure("load of the last minute, before", f"{os.getloadavg()[0]:.1f}")
    program = os.environ["SHOPMESH"]
    figure("program", f"{program}, {os.path.getsize(program) / 1e6:.0f} MB")


def starts():
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


def loads():
    clients, seconds = int(os.environ["BENCH_CLIENTS"]), int(os.environ["BENCH_SECONDS"])
    with Program("sandbox-psp") as provider, Program("all", payment_url=provider.url) as shop:
        heading(f"`shopmesh all` with the payment provider beside it, {clients} clients")
        figure("memory before the first request", f"{shop.memory() / 1e6:.1f} MB")
        scene = load.Scene.prepare(shop.url, clients)
        figure(f"memory after {load.PRODUCTS} products and {clients} registrations", f"{shop.memory() / 1e6:.1f} MB")
        load.run(shop.url, scene.reads(), clients, 2)
        for name, jobs, length in [
            ("GET one product", scene.reads(), seconds / 2),
            ("GET 20 products", scene.lists(), seconds / 2),
            ("POST an order of one line", scene.orders(), seconds),
        ]:
            heading(f"{name}, {length:.0f} s")
            before = shop.cpu_seconds()
            result = load.run(shop.url, jobs, clients, length)
            report(result, shop.cpu_seconds() - before)
        began = time.monotonic()
        paid = scene.wait_until_paid(CALM_SECONDS)
        figure("all of them paid after", f"{time.monotonic() - began:.1f} s more" if paid else f"NOT within {CALM_SECONDS} s")
        figure("memory afterwards", f"{shop.memory() / 1e6:.1f} MB")


def report(result, cpu):
    done = len(result.good)
    asked = done + sum(result.other.values())
    figure("per second", f"{done / result.seconds:.0f}")
    if done:
        cuts = sorted(1000 * took for took in result.good)
        figure("answered within", f"{cuts[done // 2]:.1f} ms half of them, {cuts[done * 99 // 100]:.1f} ms 99 %")
    if asked:
        figure("processor time of the shop for each request", f"{1000 * cpu / asked:.2f} ms")
    figure("processor time of the clients, share of a core", f"{result.cpu / result.seconds:.0%}")
    for answer, count in sorted(result.other.items()):
        figure(f"answered otherwise: {answer}", count)


PARTS = {"start": starts, "load": loads, "cluster": lambda: cluster.measure(figure, heading)}

machine()
for part in sys.argv[1:]:
    PARTS[part]()
figure("\nload of the last minute, after", f"{os.getloadavg()[0]:.1f}")
