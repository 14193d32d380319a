"""Makes the mongod on a loopback port the primary of its own replica set; prints the URI for clients.

initiate.py PORT HOST [KEYFILE]: HOST is what clients are told to connect to; with KEYFILE a user
named test is made, whose password is derived from that file, so that a later start knows it again.
"""

import hashlib
import sys
import time

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

SECONDS = 30
ALREADY_INITIALIZED = 23


def connect(port, password):
    user = {"username": "test", "password": password, "authSource": "admin"} if password else {}
    return MongoClient("127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=1000, **user)


def until(what, attempt):
    """Repeats an attempt until it returns something true; the server may still be starting."""
    deadline = time.monotonic() + SECONDS
    error = None
    while time.monotonic() < deadline:
        try:
            if result := attempt():
                return result
        except PyMongoError as failure:
            error = failure
        time.sleep(0.05)
    sys.exit(f"initiate: {what} failed for {SECONDS} s: {error}")


def configure(admin, member):
    """Initiates a new set; gives a kept one, whose address has changed, its new one."""
    me = admin.command("hello")
    if me.get("hosts") == [member]:
        return True
    if me.get("isreplicaset"):  # has no configuration, or none that names an address of its own
        try:
            admin.command("replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": member}]})
            return True
        except OperationFailure as failure:
            if failure.code != ALREADY_INITIALIZED:
                raise
    config = admin.command("replSetGetConfig")["config"]
    if config["members"][0]["host"] != member:
        config["members"][0]["host"] = member
        config["version"] += 1
        admin.command("replSetReconfig", config, force=True)
    return True


def make_user(admin, password):
    """Allowed once without a login: from loopback, while there is no user."""
    admin.command("createUser", "test", pwd=password, roles=["root"])
    return True


def main():
    port, host = int(sys.argv[1]), sys.argv[2]
    member = f"{host}:{port}"
    password = None
    if len(sys.argv) > 3:
        with open(sys.argv[3], "rb") as keyfile:
            password = hashlib.sha256(keyfile.read()).hexdigest()[:32]

    anyone = connect(port, None).admin
    until("ping", lambda: anyone.command("ping")["ok"])
    known = password and can_log_in(port, password)
    admin = connect(port, password).admin if known else anyone
    until("initiate", lambda: configure(admin, member))
    until("election", lambda: anyone.command("hello")["isWritablePrimary"])
    if password and not known:
        until("user", lambda: make_user(anyone, password))
    login = f"test:{password}@" if password else ""
    print(f"mongodb://{login}{member}/?replicaSet=rs0" + ("&authSource=admin" if password else ""))


def can_log_in(port, password):
    try:
        return connect(port, password).admin.command("ping")["ok"]
    except OperationFailure:
        return False


main()
