"""Single calls through NGINX, each beside what bounds or rivals it, in the same run: reads beside a handler that only answers
bytes, registrations and logins beside a loop that only hashes, and a mix of four calls beside a naive implementation."""

import json
import os
import resource
import secrets
import statistics
import urllib.request

import load
import shelves
from pods import Bare, NaiveCalls, Shop

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = float(os.environ["BENCH_SECONDS"])
CLIENTS = int(os.environ["BENCH_CLIENTS"])
CORES = os.cpu_count()

# What docs/reference/performance.md aims at.
AIM_READ, AIM_PASSWORD, AIM_MIX, AIM_MEMORY = 0.6, 0.9, 1.5, 100e6

# Each of these users makes the four calls one after the other and rests.
USERS, REST_SECONDS = 50, 0.1
PASSWORD = "correct horse battery"


def measure(figure, heading):
    rows = []
    with Shop() as shop:
        scene = load.Scene.prepare(shop.url)
        rows += reads(figure, heading, shop, scene)
        rows += passwords(figure, heading, shop)
    # The naive side asks nobody for a token, so the shop must not either.
    with Shop(SHOPMESH_ALIASES="Open") as shop, NaiveCalls() as naive:
        shelves.naive_products(scene.products)
        rows += mix(figure, heading, shop, naive)
    heading("all calls: shopmesh, the other side, the ratio, the aim")
    for name, ours, theirs, aim in rows:
        ratio = f"{ours / theirs:.2f}" if theirs else "-"
        figure(name, f"{ours:9.0f} {theirs:9.0f}   {ratio:>5}   {aim}")


def reads(figure, heading, shop, scene):
    """The cache is warm after the seconds that do not count, and what it keeps is asked for again before it is old."""
    targets = [load.LIST, *(f"/api/v1/products/{product}" for product in scene.products)]
    rows = []
    with Bare({target: get(shop.url, target) for target in targets}) as bare:
        for name, jobs in [("product list of 20", scene.lists()), ("product by id", scene.reads())]:
            heading(f"{name}, {CLIENTS} clients, median of {ROUNDS} rounds of {SECONDS:.0f} s")
            sides = {"shopmesh": (shop, []), "bare": (bare, [])}
            for _ in range(ROUNDS):
                for stack, rounds in sides.values():
                    rounds.append(load.run(stack.url, jobs, CLIENTS, SECONDS))
            ours, theirs = (told(figure, side, rounds) for side, (_, rounds) in sides.items())
            rows.append((name, ours, theirs, AIM_READ))
    return rows


def passwords(figure, heading, shop):
    """The clients take a part of the machine; the loop tells how many hashes the rest of it could have made."""
    run = secrets.token_hex(4)
    accounts = [{"email": f"login-{n}-{run}@bench.example", "password": PASSWORD} for n in range(CLIENTS)]
    for account in accounts:
        load.call(shop.url, "POST", "/api/v1/auth/register", {**account, "name": "Ada"})
    logins = [load.repeat("POST", ["/api/v1/auth/login"], body=json.dumps(account)) for account in accounts]
    newcomer = json.dumps({"email": "{fresh}@bench.example", "password": PASSWORD, "name": "Ada"})
    registers = [load.repeat("POST", ["/api/v1/auth/register"], body=newcomer)]
    calls = {"register": (registers, "201", [], []), "login": (logins, "200", [], [])}
    for _ in range(ROUNDS):
        rate = hashes_per_cpu_second()
        for jobs, wanted, rounds, possible in calls.values():
            result = load.run(shop.url, jobs, CLIENTS, SECONDS, wanted)
            rounds.append(result)
            possible.append(rate * (CORES - result.cpu / result.seconds))
    rows = []
    for name, (_, _, rounds, possible) in calls.items():
        heading(f"{name}, {CLIENTS} clients, median of {ROUNDS} rounds of {SECONDS:.0f} s")
        ours = told(figure, "shopmesh", rounds)
        figure("argon2id alone, on what the clients leave: per second", f"{statistics.median(possible):.0f}")
        rows.append((name, ours, statistics.median(possible), AIM_PASSWORD))
    return rows


def hashes_per_cpu_second():
    """With the parameters of the passwords that identity has stored, on all cores at once."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    options = [text for name, value in shelves.argon2_parameters().items() for text in (f"--{name}", value)]
    done = load.program("hash", *options, "--threads", CORES, "--seconds", max(1, round(SECONDS / 4)), of="BARE")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done["hashes"] / (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def mix(figure, heading, shop, naive):
    heading(f"{USERS} users: health, register, list, create; median of {ROUNDS} rounds of {SECONDS:.0f} s")
    person = json.dumps({"email": "{fresh}@bench.example", "password": PASSWORD, "name": "Ada"})
    product = {"name": "Mug {fresh}", "description": "Holds tea", "price": 9.99, "category": "Mugs", "stock": 10}
    calls = [
        load.Step("GET", "/health", name="health"),
        load.Step("POST", "/api/auth/register", person, name="register"),
        load.Step("GET", "/api/products", name="list"),
        load.Step("POST", "/api/products", json.dumps(product), name="create"),
    ]
    jobs = [load.Job(calls, REST_SECONDS)]
    sides = {"shopmesh": (shop, []), "naive": (naive, [])}
    for _ in range(ROUNDS):
        for stack, rounds in sides.values():
            rounds.append(load.run(stack.url, jobs, USERS, SECONDS))
    rates = {}
    for side, (stack, rounds) in sides.items():
        rates[side] = statistics.median(good(round) / round.seconds for round in rounds)
        figure(f"{side}: answers of 2xx per second", f"{rates[side]:.0f}")
        for answer in sorted({answer for round in rounds for answer in round.answers}):
            times = [round.answers[answer] for round in rounds if answer in round.answers]
            of = [statistics.median(time[key] for time in times) for key in ("p50", "p95", "p99")]
            count = sum(time["count"] for time in times)
            figure(f"{side}: {answer}: all, ms half / 95 % / 99 % within", f"{count:7} " + " / ".join(f"{ms:.1f}" for ms in of))
        figure(f"{side}: processor time of the clients, share of a core", f"{statistics.median(round.cpu / round.seconds for round in rounds):.0%}")
    heading(f"resident memory under that load, the most of each service (aim: {AIM_MEMORY / 1e6:.0f} MB)")
    for service in shop.services:
        figure(service.name, f"{service.peak() / 1e6:.1f} MB, {service.memory() / 1e6:.1f} MB at the end")
    return [(f"mix of {USERS} users", rates["shopmesh"], rates["naive"], AIM_MIX)]


def good(round):
    """How many answers were as they should be."""
    return sum(times["count"] for answer, times in round.answers.items() if answer.split()[-1].startswith("2"))


def told(figure, name, rounds):
    """Prints what came of the rounds of one side and gives its rate."""
    rates = [round.per_second for round in rounds]
    rate = statistics.median(rates)
    figure(f"{name}: per second", f"{rate:.0f} ({min(rates):.0f} to {max(rates):.0f})")
    answered = [round.good for round in rounds if round.good["count"]]
    if answered:
        times = [statistics.median(times[key] for times in answered) for key in ("p50", "p99")]
        figure(f"{name}: ms, half within / 99 % within", " / ".join(f"{ms:.1f}" for ms in times))
    figure(f"{name}: processor time of the clients, share of a core", f"{statistics.median(round.cpu / round.seconds for round in rounds):.0%}")
    for answer in sorted({answer for round in rounds for answer in round.other}):
        figure(f"{name}: answered otherwise, all rounds: {answer}", sum(round.other.get(answer, 0) for round in rounds))
    return rate


def get(base, target):
    with urllib.request.urlopen(base + target, timeout=30) as reply:
        return reply.read().decode()
