"""One SKU that everybody wants, by gRPC, in one pod of inventory: how many are held, and how long refusals take."""

import os
import secrets
import statistics

import load
from programs import Program

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(float(os.environ["BENCH_SECONDS"]))
BUYERS = 256


def measure(figure, heading):
    with Program("inventory") as inventory:
        for what, pieces in [("held", 1_000_000), ("refused", 0)]:
            heading(f"one SKU, {BUYERS} buyers by gRPC, one pod, nearly all {what}, median of {ROUNDS} rounds of {SECONDS} s")
            rounds = [
                load.program(
                    "reserve", inventory.grpc_url, f"hot-{secrets.token_hex(4)}",
                    "--pieces", pieces, "--clients", BUYERS, "--seconds", SECONDS,
                )
                for _ in range(ROUNDS)
            ]
            for round in rounds:
                if what not in round["answers"]:
                    raise SystemExit(f"bench: no reservation was {what}: {round['answers']}")
            answers = [round["answers"][what] for round in rounds]
            rates = [answer["count"] / round["seconds"] for answer, round in zip(answers, rounds)]
            figure(f"{what}: per second", f"{statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})")
            times = [f"{statistics.median(answer[key] for answer in answers):.1f}" for key in ("p50", "p99")]
            figure(f"{what}: ms, half within / 99 % within", " / ".join(times))
            others = {answer for round in rounds for answer in round["answers"] if answer != what}
            if others:
                figure("answered otherwise", ", ".join(sorted(others)))
