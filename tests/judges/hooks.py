"""What schemathesis cannot know: who it is (the caller that JUDGES_CALLER names, logged in by the shop's own calls), and how bodies
look that are no JSON."""

import os
import re
import secrets

import schemathesis
from schemathesis.checks import CHECKS
from schemathesis.core import NOT_SET
from schemathesis.generation.meta import TestPhase
from shop import admin, appointed, register

IMAGES = {
    "image/png": b"\x89PNG\r\n\x1a\n and what follows",
    "image/jpeg": b"\xff\xd8\xff\xe0 and what follows",
    "image/webp": b"RIFF\x10\0\0\0WEBPVP8 and what follows",
}


# What an Idempotency-Key may be: quoted or bare, one line of visible ASCII.
KEY = re.compile(r'"[ !#-~]{1,255}"|[ !#-~]{1,255}')

# Kinds of files of rows that are taken first and read later.
ROWS = ["text/csv", "application/x-ndjson"]


def send_as(kind, image):
    """Texts, which is all that the document can say of an image, are sent as one; anything else as it is."""

    @schemathesis.serializer(kind)
    def picture(context, value):
        return image if isinstance(value, str) else str(value).encode()


for kind, image in IMAGES.items():
    send_as(kind, image)


@schemathesis.serializer(*ROWS)
def rows(context, value):
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def filter_case(context, case):
    """Whatever is written into a file of rows is a text, so there is none that breaks the document."""
    return case.media_type not in ROWS or case.body is NOT_SET or isinstance(case.body, (str, bytes))


LOG_IN = {
    "nobody": lambda: None,
    "customer": lambda: register()["token"],
    "staff": lambda: appointed("staff"),
    "admin": admin,
}
# Calls that end the session they are made with: each is made by a customer of its own.
FAREWELLS = {"delete_me", "change_password", "end_session", "logout", "alias_post_auth_logout", "alias_post_api_auth_logout"}


class Session:
    """The token in use. A call may have ended it, by deleting the account, for example: then there is a new one."""

    token = None
    is_over = True

    @classmethod
    def current(cls):
        if cls.is_over:
            cls.token, cls.is_over = LOG_IN[os.environ["JUDGES_CALLER"]](), False
        return cls.token


@schemathesis.auth(refresh_interval=None)
class Caller:
    def get(self, case, context):
        if os.environ["JUDGES_CALLER"] != "nobody" and context.operation.definition.raw["operationId"] in FAREWELLS:
            return register()["token"]
        return Session.current()

    def set(self, case, token, context):
        if token:
            case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.hook
def before_call(context, case, **kwargs):
    """What one key makes is one thing, however often it is sent. Where one call goes on with what another has made, two that
    happen to have the same key would be taken for two things, of which one is gone once the other is deleted. Keys that
    are none stay as they are; other phases send the same key again."""
    key = case.headers.get("Idempotency-Key") if case.headers else None
    if key and case.meta and case.meta.phase.name is TestPhase.STATEFUL and KEY.fullmatch(key):
        case.headers["Idempotency-Key"] = secrets.token_hex(16)


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code == 401 and response.request.headers.get("Authorization") == f"Bearer {Session.token}":
        Session.is_over = True


def names_in(case):
    """What the path of a request names."""
    return {str(value) for value in case.path_parameters.values()} if isinstance(case.path_parameters, dict) else set()


known_by_path = CHECKS.get_one("ensure_resource_availability")
CHECKS.unregister("ensure_resource_availability")


@schemathesis.check
def ensure_resource_availability(ctx, response, case):
    """The check of that name knows by paths what was deleted. Here a thing has several: what an older name has deleted is gone by
    all of them."""
    names = names_in(case)
    for prior in ctx.internals.recorder.find_all_cases() if ctx.internals.recorder else []:
        answered = ctx.internals.recorder.find_response(case_id=prior.id)
        is_gone = prior.operation.method.upper() == "DELETE" and answered and answered.status_code < 300
        if is_gone and names & names_in(prior):
            return None
    return known_by_path(ctx, response, case)
