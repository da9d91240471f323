"""A small client of the product's own HTTP API, for commands and for the demo's people."""

from pathlib import Path
from typing import Any, BinaryIO

TIMEOUT_S = 10.0


class WebError(Exception):
    """The product did not answer, or refused; `status` is 0 when it did not answer."""

    def __init__(self, said: str, status: int = 0, problem: dict[str, Any] | None = None) -> None:
        super().__init__(said)
        self.status = status
        self.problem = problem or {}


class Web:
    """One account's view of the product at `url`."""

    def __init__(self, url: str, key: str) -> None:
        import httpx

        self.url = url
        self._errors = httpx.HTTPError
        self._client = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT_S, trust_env=False
        )

    def get(self, path: str, **query: Any) -> Any:
        """The JSON at a path. Raises WebError."""
        return self._call("GET", path, query, None)

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Post JSON. Raises WebError."""
        return self._call("POST", path, {}, body or {})

    def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """All items of a list, page after page. Raises WebError."""
        out: list[dict[str, Any]] = []
        page: dict[str, Any] = self.get(path, **query)
        out += page["items"]
        while page.get("next"):
            page = self.get(path, **{**query, "after": page["next"]})
            out += page["items"]
        return out

    def upload(self, path: str, file: Path, **query: str) -> Any:
        """Post a file as it is; waits as long as that takes. Raises WebError."""
        with file.open("rb") as content:
            return self._call("POST", path, query, None, content)

    def ready(self) -> str:
        """Empty when the product says that it is ready, else what is wrong. Raises WebError."""
        try:
            self.get("/readyz")
        except WebError as wrong:
            if wrong.status != 503:
                raise
            return str(wrong)
        return ""

    def _call(
        self,
        method: str,
        path: str,
        query: dict[str, Any],
        body: dict[str, Any] | None,
        content: BinaryIO | None = None,
    ) -> Any:
        timeout = TIMEOUT_S if content is None else None
        try:
            answer = self._client.request(method, path, params=query, json=body, content=content, timeout=timeout)
        except self._errors as failure:
            raise WebError(f"{self._client.base_url} does not answer: {failure}") from failure
        try:
            said = answer.json() if answer.content else {}
        except ValueError:
            said = {"detail": answer.text}
        if answer.is_error:
            problem = said if isinstance(said, dict) else {"detail": str(said)}
            words = problem.get("detail") or problem.get("title") or answer.status_code
            raise WebError(str(words), answer.status_code, problem)
        return said

    def close(self) -> None:
        """Close its connections."""
        self._client.close()
