"""What lies in the databases before a measurement. The driver is that of tests/servers."""

import os
import random
import sys
import uuid
from datetime import datetime, timedelta, timezone

sys.path.insert(0, os.environ["MONGODB_DRIVER"])

from bson.int64 import Int64  # noqa: E402  found above
from pymongo import MongoClient  # noqa: E402

BATCH = 5_000


def client():
    return MongoClient(os.environ["MONGODB_URI"])


def naive_products(ids):
    """The products of the shop, for the naive catalog."""
    rows = [
        {"_id": product, "name": f"Product {n}", "price": {"amount": 1000 + n, "currency": "EUR"}}
        for n, product in enumerate(ids)
    ]
    shelf = client()["bench_naive"]["products"]
    shelf.delete_many({})
    shelf.insert_many(rows)


def argon2_parameters():
    """Those of the password that was stored last, by the names that bench/bare has for them."""
    stored = client()["bench_identity"]["users"].find_one(sort=[("_id", -1)])["password"]
    # $argon2id$v=19$m=19456,t=2,p=1$salt$hash
    values = dict(pair.split("=") for pair in stored.split("$")[3].split(","))
    return {"memory": values["m"], "passes": values["t"], "lanes": values["p"]}


def orders(count):
    """Copies a paid order, for other buyers and at other times of a year, until so many are stored."""
    database = client()["bench_order"]
    stored = database["orders"]
    like = stored.find_one({"state": "paid"})
    if like is None:
        raise SystemExit("bench: there is no paid order to copy")
    number = int(stored.find_one(sort=[("number", -1)])["number"])
    missing = count - stored.estimated_document_count()
    while missing > 0:
        copies = []
        for _ in range(min(missing, BATCH)):
            number += 1
            created = datetime.now(timezone.utc) - timedelta(seconds=random.randrange(365 * 24 * 3600))
            copies.append(
                {**like, "_id": str(uuid.uuid4()), "user": str(uuid.uuid4()), "number": Int64(number), "created_at": created}
            )
        stored.insert_many(copies, ordered=False)
        missing -= len(copies)
    # What was inserted is not to be written out beside what is measured.
    database.client.admin.command("fsync")
    # Numbers that the shop takes from now on are none of the copies'.
    database["counters"].update_one({"_id": "orders"}, {"$max": {"taken": Int64(number + 1_000)}})
