"""Lets the judges look at a shop and prints what each said. Which judges there are stands here; what they are told, in the files
beside this one."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter

from shop import PASSWORD, SERVICES, Shop, appointed, call, stock

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE, LOGS = os.environ["JUDGES_CACHE"], os.environ["JUDGES_LOGS"]
CASES = int(os.environ.get("JUDGES_CASES", 2000))
SEED = int(os.environ.get("JUDGES_SEED", 1))
ASKED = os.environ.get("JUDGES_SERVICES", " ".join(SERVICES)).split()
CALLERS = ["nobody", "customer", "staff", "admin"]
# Of what a judge said who found something.
LAST_LINES = 40
# How scripts of k6 tell of one call.
WRONG = re.compile(r"wrong: [^\"]*")
# What a service may be short of after so many rounds of all callers has no cases left.
ROUNDS = 50
SECONDS = int(os.environ.get("JUDGES_SECONDS", 30))
# Scripts of k6: users, and how many times as long as others it runs, so that its users do not all come at once.
SCRIPTS = {"mixed": (50, 1), "reading": (200, 1), "journeys": (500, 2)}


class Panel:
    """The judges and what they said."""

    def __init__(self, shop):
        self.shop, self.verdicts = shop, []

    def documents(self):
        validate = [sys.executable, "-m", "openapi_spec_validator", "--subschema-errors", "all"]
        for name in ["openapi.json", "swagger-2.0.json"]:
            self.run(f"openapi-spec-validator {name}", [*validate, self.fetched(name)])
        redocly = os.path.join(CACHE, "node/node_modules/.bin/redocly")
        config = os.path.join(HERE, "redocly.yaml")
        self.run("redocly lint openapi.json", [redocly, "lint", "--config", config, self.fetched("openapi.json")])

    def fetched(self, name):
        """A document of the shop as a file."""
        path = os.path.join(LOGS, name)
        with open(path, "w") as file:
            json.dump(call("GET", f"/{name}"), file, indent=1)
        return path

    def schemathesis(self):
        document = self.fetched("openapi.json")
        with open(document) as file:
            items = json.load(file)["paths"].values()
        calls = [operation for item in items for operation in item.values()]
        for service in ASKED:
            operations = sum(service in operation["tags"] for operation in calls)
            self.fuzz(service, document, max(1, CASES // (operations * len(CALLERS))))

    def fuzz(self, service, document, examples):
        """Rounds of all callers until there were enough cases."""
        since, count, good, lap = time.monotonic(), 0, True, 0
        while count < CASES and good and lap < ROUNDS:
            for caller in CALLERS:
                name = f"schemathesis-{service}-{caller}-{lap}"
                report = os.path.join(LOGS, f"{name}.json")
                seed = SEED + lap * len(CALLERS) + CALLERS.index(caller)
                command = [
                    *[sys.executable, "-m", "schemathesis.cli", "--config-file", os.path.join(HERE, "schemathesis.toml")],
                    *["run", document, "--url", self.shop.url, "--include-tag", service, "--checks", "all"],
                    *["--max-examples", str(examples), "--seed", str(seed), "--no-color"],
                    *["--report", "json", "--report-json-path", report],
                ]
                good &= self.told(name, command, {"JUDGES_CALLER": caller}) == 0
                if os.path.exists(report):
                    with open(report) as file:
                        count += json.load(file)["test_cases"]["generated"]
            lap += 1
        self.say(f"schemathesis {service}", good and count >= CASES, since, f"{count} cases")

    def k6(self):
        staff, products = appointed("staff"), stock()
        for script, (users, times) in SCRIPTS.items():
            settings = {
                "JUDGES_URL": self.shop.url,
                "JUDGES_PASSWORD": PASSWORD,
                "JUDGES_STAFF": staff,
                "JUDGES_PRODUCTS": ",".join(products),
                "JUDGES_SECONDS": str(SECONDS * times),
                "JUDGES_USERS": os.environ.get("JUDGES_USERS", str(users)),
                "K6_NO_USAGE_REPORT": "true",
            }
            k6 = [os.path.join(CACHE, "bin/k6"), "run", "--quiet", "--no-color", os.path.join(HERE, f"k6/{script}.js")]
            self.run(f"k6 {script}, {settings['JUDGES_USERS']} users", k6, settings, f"k6-{script}")

    def run(self, name, command, settings=None, log=None):
        since = time.monotonic()
        self.say(name, self.told(log or name.replace(" ", "-"), command, settings or {}) == 0, since)

    def told(self, name, command, settings):
        """Runs a judge to its end; its words go to a file."""
        environment = {**os.environ, "PYTHONPATH": f"{CACHE}/python:{HERE}", **settings}
        path = os.path.join(LOGS, f"{name}.log")
        with open(path, "w") as log:
            code = subprocess.run(command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL).returncode
        if code:
            # For those who have no more than what this prints.
            with open(path, errors="replace") as log:
                lines = log.read().splitlines()
            # A load says the same of many calls: once each, with its number, and last.
            wrong = Counter(found.group() for line in lines if (found := WRONG.search(line)))
            last = [line for line in lines if not WRONG.search(line)][-LAST_LINES:]
            told = [*last, *(f"{number} x {text}" for text, number in wrong.most_common())]
            print(*(f"  | {line}" for line in told), sep="\n", flush=True)
        return code

    def say(self, name, good, since, note=""):
        self.verdicts.append(good)
        verdict = "good" if good else "BAD"
        print(f"{name:<42} {verdict:<4} {time.monotonic() - since:6.0f} s  {note}".rstrip(), flush=True)


def main(judges):
    # What was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Shop() as shop:
        panel = Panel(shop)
        for judge in judges:
            getattr(panel, judge)()
    bad = panel.verdicts.count(False)
    print(f"{panel.verdicts.count(True)} passed, {bad} failed")
    if bad:
        raise SystemExit(f"judges: what they found stands in {LOGS}")


if __name__ == "__main__":
    main(sys.argv[1:])
