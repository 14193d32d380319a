"""The operator on a cluster of tests/cluster: its memory, and how long a Shop takes. Asks by kubectl, as users do."""

import glob
import json
import os
import subprocess
import time

from programs import memory_of

NAMESPACE = "shopmesh-bench"
READY_SECONDS = 300
SHOP = {
    "apiVersion": "shopmesh.dev/v1alpha1",
    "kind": "Shop",
    "metadata": {"name": "bench"},
    "spec": {
        "availability": "SingleReplica",
        "mongodb": {"uriSecretRef": {"name": "mongodb"}},
        "redis": {"managed": {"maxMemory": "64Mi"}},
        "payment": {"provider": "Sandbox"},
    },
}


def kubectl(*arguments, stdin=None, seconds=60):
    command = ["kubectl", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def apply(thing):
    kubectl("apply", "-n", NAMESPACE, "-f", "-", stdin=json.dumps(thing))


def measure(figure, heading):
    heading("operator and Shop")
    operators = json.loads(kubectl("get", "pods", "-A", "-l", "app.kubernetes.io/name=shopmesh-operator", "-o", "json"))["items"]
    if not operators:
        raise SystemExit("bench: no operator is installed in this cluster")
    figure("operator, idle memory", operator_memory(operators[0]))
    uri = os.environ["MONGODB_URI"]
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    try:
        apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
        apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mongodb"}, "stringData": {"uri": uri}})
        figure("Shop applied -> Ready", shop_ready_after())
        figure("operator, memory with this Shop too", operator_memory(operators[0]))
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s", seconds=150)


def shop_ready_after():
    began = time.monotonic()
    apply(SHOP)
    ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    while kubectl("get", "shop", "bench", "-n", NAMESPACE, "-o", ready) != "True":
        if time.monotonic() - began > READY_SECONDS:
            return f"NOT within {READY_SECONDS} s"
        time.sleep(0.2)
    return f"{time.monotonic() - began:.1f} s"


def operator_memory(pod):
    """Of the process in the pod's container, which the node of tests/cluster runs on this machine."""
    container = pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
    for path in glob.glob("/proc/[0-9]*/cgroup"):
        try:
            with open(path) as file:
                inside = container in file.read()
        except OSError:
            continue  # it has ended meanwhile
        if inside:
            return f"{memory_of(path.split('/')[2]) / 1e6:.1f} MB"
    return "not known: its node is not this machine"
