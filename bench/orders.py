"""Orders per second through NGINX: the shop beside the naive implementation, in the same run; and with more and more orders
stored."""

import os
import statistics

import load
import shelves
from pods import Naive, Shop

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = float(os.environ["BENCH_SECONDS"])
CLIENTS = [32, 256]
STORED = [int(stored) for stored in os.environ["BENCH_STORED"].split()]
# How long the consumers of events may take after the last order.
CALM_SECONDS = 120


class Side:
    """One of the two that are compared: what was measured, round by round."""

    def __init__(self, name, stack, jobs):
        self.name, self.stack, self.jobs = name, stack, jobs
        self.rounds = {clients: [] for clients in CLIENTS}

    def measure(self, clients):
        # Processor time counts from where orders count.
        load.run(self.stack.url, self.jobs, clients, load.WARM_UP_SECONDS, wanted="201", warm_up=0)
        before = self.stack.cpu()
        result = load.run(self.stack.url, self.jobs, clients, SECONDS, wanted="201", warm_up=0)
        after = self.stack.cpu()
        result.cpu_by = {name: after[name] - before[name] for name in after}
        return result


def compare(figure, heading):
    with Shop() as shop, Naive() as naive:
        scene = load.Scene.prepare(shop.url)
        shelves.naive_products(scene.products)
        plain = [load.repeat("POST", ["/api/v1/orders"], body=load.order_of(product)) for product in scene.products]
        sides = [Side("shopmesh", shop, scene.orders()), Side("naive", naive, plain)]
        for number in range(1, ROUNDS + 1):
            for clients in CLIENTS:
                for side in sides:
                    before = shop.transactions()
                    result = side.measure(clients)
                    calm(scene)
                    result.transactions = (shop.transactions() - before) * SECONDS / (SECONDS + load.WARM_UP_SECONDS)
                    side.rounds[clients].append(result)
        for clients in CLIENTS:
            heading(f"orders of one line through NGINX, {clients} clients, median of {ROUNDS} rounds of {SECONDS:.0f} s")
            for side in sides:
                report(figure, side.name, side.rounds[clients])
            ours, theirs = (median(side.rounds[clients], lambda round: round.per_second) for side in sides)
            figure("shopmesh / naive", f"{ours / theirs:.2f}" if theirs else "naive answered nothing")


def grow(figure, heading):
    with Shop() as shop:
        scene = load.Scene.prepare(shop.url)
        heading(f"orders of one line, {CLIENTS[0]} clients, median of {ROUNDS} rounds, by orders stored before")
        side = Side("shopmesh", shop, scene.orders())
        load.run(shop.url, side.jobs, CLIENTS[0], 2, wanted="201")
        calm(scene)
        for stored in STORED:
            shelves.orders(stored)
            rounds = []
            for _ in range(ROUNDS):
                rounds.append(side.measure(CLIENTS[0]))
                calm(scene)
            report(figure, f"{stored:,} stored", rounds)


def calm(scene):
    if not scene.wait_until_paid(CALM_SECONDS):
        raise SystemExit(f"bench: orders are not paid {CALM_SECONDS} s after the last one")


def median(rounds, of):
    return statistics.median(of(round) for round in rounds)


def report(figure, name, rounds):
    rates = [round.per_second for round in rounds]
    figure(f"{name}: per second", f"{statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})")
    good = [round for round in rounds if round.good["count"]]
    if good:
        times = [f"{median(good, lambda round, key=key: round.good[key]):.1f}" for key in ("p50", "p99", "max")]
        figure(f"{name}: ms, half within / 99 % within / longest", " / ".join(times))
        each = [1000 * sum(round.cpu_by.values()) / round.good["count"] for round in good]
        figure(f"{name}: processor ms for each order, all servers", f"{statistics.median(each):.2f}")
        by = {process: median(good, lambda round, process=process: 1000 * round.cpu_by[process] / round.good["count"]) for process in good[0].cpu_by}
        figure("  of which", ", ".join(f"{process} {cpu:.2f}" for process, cpu in by.items() if cpu >= 0.005))
    if any(getattr(round, "transactions", 0) for round in good):
        figure(f"{name}: transactions for each order", f"{median(good, lambda round: round.transactions / round.good['count']):.2f}")
    figure(f"{name}: processor time of the clients, share of a core", f"{median(rounds, lambda round: round.cpu / round.seconds):.0%}")
    others = {}
    for round in rounds:
        for answer, count in round.other.items():
            others[answer] = others.get(answer, 0) + count
    for answer, count in sorted(others.items()):
        figure(f"{name}: answered otherwise, all rounds: {answer}", count)
