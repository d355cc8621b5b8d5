"""The HTTP transport below the SDK: bounded, and with the failures that the SDK would only log."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from functools import cache

import httpx2

from renderer.orchestrators.mcp_check.errors import Transport

#: Bytes of all answers together: a hundred tools are about 200 kB.
BYTES = 16 * 1024 * 1024
_MEDIA_TYPES = {"application/json", "text/event-stream"}


#: The authorities that are trusted. Reading them takes 25 ms: once, and not for each way in which a server is asked.
_tls = cache(httpx2.create_ssl_context)


class Watched(httpx2.AsyncBaseTransport):
    """``give_up`` is called at a failure that the SDK does not raise."""

    def __init__(
        self,
        transport: Transport,
        give_up: Callable[[], None],
        *,
        limit: int = BYTES,
        credentials: tuple[httpx2.URL, str] | None = None,
    ) -> None:
        self._transport = transport
        self._credentials = credentials
        self._inner = httpx2.AsyncHTTPTransport(verify=_tls(trust_env=False), trust_env=False)
        self._give_up = give_up
        self._left = limit
        self.error: Exception | None = None
        self.status = 0
        self.media_type = ""
        self.too_much = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"  # what unpacks to gigabytes is not asked for
        # To the server that it is for, and to no other that it redirects to.
        if self._credentials and self._credentials[0].copy_with(query=None) == request.url.copy_with(query=None):
            request.headers["authorization"] = f"Bearer {self._credentials[1]}"
        # Whether its failure is the end: not that of a notification, of the stream that a server need not have, or of
        # the goodbye. With SSE, the SDK sends nothing more after a refusal, and would wait for ever.
        if self._transport == "sse":
            matters = request.method != "DELETE"
        else:
            matters = request.method == "POST" and "id" in json.loads(request.content)
        try:
            response = await self._inner.handle_async_request(request)
        except httpx2.TransportError as error:
            if matters:
                self.error = self.error or error
                self._give_up()
            raise
        if matters:
            self._look(response, answers=self._transport != "sse" or request.method == "GET")
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        encoded = response.headers.get("content-encoding", "identity").lower() != "identity"
        response.stream = _Counted(response.stream, self, encoded)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _look(self, response: httpx2.Response, *, answers: bool) -> None:
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code >= 300:
            self.status = self.status or response.status_code
            # An error in JSON may be one of MCP, which the SDK then raises; and it follows some redirections.
            if self._transport == "sse" or media_type != "application/json":
                self._give_up()
        elif answers and response.status_code == 200 and media_type not in _MEDIA_TYPES:
            self.media_type = media_type or "nothing"
            self._give_up()

    def took(self, size: int) -> None:
        """Counts bytes; ReadError above the limit."""
        self._left -= size
        if self._left < 0:
            self.too_much = True
            self._give_up()
            raise httpx2.ReadError("too much")


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, watched: Watched, encoded: bool) -> None:
        self._inner = inner
        self._watched = watched
        self._encoded = encoded

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            # A compressed answer, which was not asked for, counts as too long.
            self._watched.took(2 * BYTES if self._encoded else len(chunk))
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()
