"""The Model Context Protocol at /mcp: the API's operations as tools, for programs that converse.

A call becomes a request to the site itself, in the name of the same API key, so keys, scopes,
validation, idempotency, logs and metrics are the API's own and no rule is written twice.

Stateless Streamable HTTP, as of 2026-07-28: every POST is whole and proves who calls; nothing is
kept between two of them, so any process may answer any of them, and a handle such as a job's id
opens nothing by itself. Clients that still shake hands are served the same way. Cookies count for
nothing here: a browser would send them for any page that asks it to.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections
from django.http import JsonResponse
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
)
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from config import bodies, errors, tools
from config.threads import Threads, spare_questions
from governance.api import quotas
from governance.api.keys import ApiKeyAuthentication
from governance.services import QuotaExceeded

PATH = "/mcp"
TOOLS_LAST_MS = 300_000  # how long a client may keep the list of tools
INSTRUCTIONS = """\
Train, validate, publish, buy, deploy and use neural networks. Every figure that is answered was \
measured here and can be computed again to the same bit. Amounts are credits, as exact decimals; \
100 are one US dollar. Long work answers at once with an id: neural_train with a job_id that \
neural_training_status follows, whose model is validated by itself (neural_validation_status). \
What is refused says why, which field is wrong, and the way out, under a stable code.\
"""
# What of a caller's request the inner one carries on: who asks, from where, and by which name.
CARRIED = (
    b"authorization",
    b"host",
    b"user-agent",
    b"x-forwarded-for",
    b"x-forwarded-proto",
    b"x-request-id",
)
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Endpoint:
    """The site, and MCP beside it."""

    def __init__(self, site: Threads) -> None:
        self.site = site
        self.server: Server[Any] = Server(
            "neural-marketplace",
            version="1",
            title="Neural Marketplace",
            instructions=INSTRUCTIONS,
            on_list_tools=list_tools,
            on_call_tool=self.call_tool,
        )
        self.manager: StreamableHTTPSessionManager | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        elif scope["type"] == "http" and scope["path"] == PATH:
            await self.answer(scope, receive, send)
        else:
            await self.site(scope, receive, send)

    async def live(self, receive: Receive, send: Send) -> None:
        """From the server's start to its end; Django itself has nothing to do at either."""
        await receive()
        self.manager = StreamableHTTPSessionManager(self.server, json_response=True, stateless=True)
        async with self.manager.run():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        self.manager = None
        await send({"type": "lifespan.shutdown.complete"})

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        declined = await self.site.in_line(PATH, refusal, scope)
        if declined is not None:
            await bodies.send_response(declined, send)
            return
        body = await whole(receive)
        if body is None:  # the client left, or `bodies` answers
            return
        assert self.manager is not None, "the ASGI server must serve the lifespan"
        await self.manager.handle_request(scope, replayed(body, receive), send)

    async def call_tool(
        self, context: ServerRequestContext[Any], params: CallToolRequestParams
    ) -> CallToolResult:
        known = await sync_to_async(tools.operations, thread_sensitive=False)()
        operation = known.get(params.name)
        if operation is None:
            raise MCPError(INVALID_PARAMS, f"There is no tool {params.name!r}.")
        given = dict(params.arguments or {})
        if missing := [name for name in operation.in_path if given.get(name) in (None, "")]:
            return refused({"code": "invalid_parameters", "detail": f"{missing[0]}: is required."})
        assert context.request is not None
        asked = inner_request(dict(context.request.scope), operation, given)
        return result(*await ask(self.site, *asked))


async def list_tools(
    context: ServerRequestContext[Any], params: PaginatedRequestParams | None
) -> ListToolsResult:
    """All at once and always in the same order; they are the same for everybody."""
    known = await sync_to_async(tools.operations, thread_sensitive=False)()
    return ListToolsResult(
        tools=[each.tool for each in known.values()], ttl_ms=TOOLS_LAST_MS, cache_scope="public"
    )


# Who may speak here


def refusal(scope: Scope) -> JsonResponse | None:
    """Why this request is not served at all, if it is not."""
    headers = dict(scope["headers"])
    if scope["method"] != "POST":
        detail = "MCP is spoken by POST here: there are no sessions and no streams to open."
        return problem(405, "method_not_allowed", detail, Allow="POST")
    origin = headers.get(b"origin", b"").decode("latin-1")
    if origin and urlsplit(origin).netloc != headers.get(b"host", b"").decode("latin-1"):
        return problem(403, "permission_denied", "A page of another site may not ask here.")
    close_old_connections()
    spare_questions()
    try:
        return unknown(Request(ASGIRequest(scope, BytesIO())))
    finally:
        close_old_connections()


def unknown(request: Request) -> JsonResponse | None:
    """Why whoever asks is not known, if they are not; and how often they may try."""
    try:
        if ApiKeyAuthentication().authenticate(request) is not None:
            return None
        detail = "Send an API key as `Authorization: Bearer …`; /account/keys/ makes them."
    except AuthenticationFailed as error:
        detail = str(error)
    try:
        quotas.count(request, policy="api")
    except QuotaExceeded as refusal:
        return errors.refusal_response(refusal)
    return problem(401, "not_authenticated", detail, WWW_Authenticate='Bearer realm="mcp"')


def problem(status: int, code: str, detail: str, **headers: str) -> JsonResponse:
    return JsonResponse(
        errors.body(status=status, code=code, detail=detail),
        status=status,
        content_type=errors.PROBLEM,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


# A call as a request to the site


def inner_request(
    scope: Scope, operation: tools.Operation, given: dict[str, Any]
) -> tuple[Scope, bytes]:
    path = operation.path
    for name in operation.in_path:
        path = path.replace(f"{{{name}}}", quote(str(given.pop(name)), safe=""))
    query = {name: given.pop(name) for name in operation.in_query if name in given}
    headers = [(name, value) for name, value in scope["headers"] if name in CARRIED]
    headers.append((b"accept", b"application/json"))
    headers.append((b"if-match", b"*"))  # a model changes what is there, and keeps no tags
    key = given.pop(tools.IDEMPOTENCY, None)
    if key is not None:
        headers.append((b"idempotency-key", str(key).encode()))
    body = b"" if operation.method == "GET" else json.dumps(given).encode()
    if body:
        headers.append((b"content-type", b"application/json"))
        headers.append((b"content-length", str(len(body)).encode()))
    inner = {name: scope[name] for name in ("type", "asgi", "http_version", "scheme", "client")}
    return inner | {
        "server": scope.get("server"),
        "method": operation.method,
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": urlencode(query).encode(),
        "headers": headers,
    }, body


async def whole(receive: Receive) -> bytes | None:
    """All of a request's body, or None where it does not arrive."""
    parts, is_whole = [], False
    while not is_whole:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        is_whole = not message.get("more_body", False)
    return b"".join(parts)


def replayed(body: bytes, following: Receive) -> Receive:
    """Receives this body, and then what follows it."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return left.pop() if left else await following()

    return receive


async def ask(site: Threads, scope: Scope, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """The site's answer: its status, headers and content."""
    messages: list[Mapping[str, Any]] = []
    over = asyncio.Event()

    async def leave() -> Mapping[str, Any]:
        await over.wait()  # whoever asked is still there until there is an answer
        return {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        messages.append(message)

    try:
        await site(scope, replayed(body, leave), send)
    finally:
        over.set()
    headers = {name.decode().lower(): value.decode() for name, value in messages[0]["headers"]}
    content = b"".join(message.get("body", b"") for message in messages[1:])
    return messages[0]["status"], headers, content


def result(status: int, headers: Mapping[str, str], content: bytes) -> CallToolResult:
    """A refusal is an answer that the model can act on, and no error of the protocol."""
    try:
        body = json.loads(content) if content else {}
    except ValueError:
        body = {"code": f"http_{status}", "detail": HTTPStatus(status).phrase}
    if status < HTTPStatus.BAD_REQUEST:
        return CallToolResult(content=[text(content.decode())], structured_content=body)
    if "retry-after" in headers:
        body["retry_after_seconds"] = headers["retry-after"]
    return refused(body)


def refused(problem: dict[str, Any]) -> CallToolResult:
    said = f"{problem.get('code')}: {problem.get('detail')}"
    return CallToolResult(content=[text(said), text(json.dumps(problem))], is_error=True)


def text(written: str) -> TextContent:
    return TextContent(type="text", text=written)
