"""The quarantine and the rules that mend it."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.guard import Who
from api.json.answers import answer
from api.json.headers import Match
from api.owners.quarantine import Quarantine
from api.owners.versions import RULES, expect, numbered
from api.problems import not_found
from api.web import Web
from ingest.domain.mapping import Rule

Name = Annotated[str, Field(max_length=200)]
Ids = Annotated[list[Name], Field(min_length=1, max_length=500)]


class ReplayBody(BaseModel):
    """Which entries: these, or all of a device, of a reason, of the tenant; `after` = `next` of the answer before."""

    model_config = ConfigDict(extra="forbid")
    ids: Ids | None = None
    device: Name = ""
    reason: Name = ""
    after: Name = ""


class ExpireBody(BaseModel):
    """Which entries: these, those of a device, those older than so many days of the tenant's clock."""

    model_config = ConfigDict(extra="forbid")
    ids: Ids | None = None
    device: Name = ""
    older_days: float | None = Field(None, ge=0, le=100_000)


class RuleBody(BaseModel):
    """One rule: `to` is the signal (empty = leave it out), the UCUM code, or FACTOR[,OFFSET]."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["signal", "unit", "factor"]
    name: Name
    to: Name


class RulesBody(BaseModel):
    """Rules of a device or of an asset model; `from_now_on` = they mend what comes, too."""

    model_config = ConfigDict(extra="forbid")
    scope: Literal["device", "model"] = "device"
    owner: Name
    rules: list[RuleBody] = Field(min_length=1, max_length=1000)
    from_now_on: bool = False


class DropBody(BaseModel):
    """The rule to let go."""

    model_config = ConfigDict(extra="forbid")
    scope: Literal["device", "model"] = "device"
    owner: Name
    kind: Name
    name: Name


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    of, root = Quarantine(web.shared), "/api/v1"

    @router.get(f"{root}/quarantine/{{entry}}", tags=["devices"], summary="One message that was not accepted")
    def entry(who: Who, entry: str) -> Response:
        found = of.entry(who, entry)
        if found is None:
            raise not_found("entry")
        return answer(found)

    @router.post(f"{root}/quarantine/replay", tags=["devices"], summary="Judge messages in quarantine once more")
    def replay(who: Who, body: ReplayBody) -> Response:
        return answer(of.replay(who, ids=body.ids, device=body.device, reason=body.reason, after=body.after))

    @router.post(f"{root}/quarantine/expire", tags=["devices"], summary="Give messages in quarantine up")
    def expire(who: Who, body: ExpireBody) -> Response:
        return answer({"expired": of.expire(who, ids=body.ids, device=body.device, older_days=body.older_days)})

    @router.get(f"{root}/mappings", tags=["devices"], summary="Rules that mend messages")
    def rules(who: Who) -> Response:
        return answer(
            {"items": numbered(web.shared.database, RULES, who, of.rules(who), "scope", "owner"), "next": None}
        )

    @router.post(f"{root}/mappings", tags=["devices"], summary="Keep rules that mend messages")
    def keep(who: Who, body: RulesBody, match: Match) -> Response:
        """`If-Match` is about all rules of this device or asset model."""
        expect(RULES, match, who, body.scope, body.owner)
        wanted = [Rule(r.kind, r.name, r.to) for r in body.rules]
        return answer({"items": of.keep_rules(who, body.scope, body.owner, wanted, from_now_on=body.from_now_on)})

    @router.post(f"{root}/mappings/drop", tags=["devices"], summary="Let a rule go; what it mended stays")
    def drop(who: Who, body: DropBody, match: Match) -> Response:
        expect(RULES, match, who, body.scope, body.owner)
        return answer({"items": of.drop_rule(who, body.scope, body.owner, body.kind, body.name)})
