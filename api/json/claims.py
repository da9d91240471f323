"""Identity of devices: claimed with a one-time code by the device itself, suspended and resumed by people.

What a device sends when it claims holds secrets: no answer here repeats anything of it.
"""

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.json.answers import answer
from api.json.headers import Match
from api.owners.versions import DEVICE, expect
from api.problems import Problem, not_found
from api.web import Web
from contracts import topics
from ingest.adapters.pki_folder import PkiFolder
from ingest.domain.codes import DEFAULT_LIFE
from ingest.domain.lifecycle import IllegalTransition
from ingest.service import claims
from ingest.service.certificates import issue_certificate
from ingest.service.registry import NewDevice, RegistryFault, UnknownDevice, resume_device, suspend_device
from plumbing.pki import CLIENT_LIFE, PkiFault, check_request

log = logging.getLogger(__name__)
STATUS = {claims.UNKNOWN: 404, claims.USED: 409, claims.EXPIRED: 410, claims.TOO_MANY: 429, claims.SHUT: 403}
MAX_BODY = 20_000


class ClaimBody(msgspec.Struct, forbid_unknown_fields=True):
    """A one-time code; with a request for a certificate (PKCS #10, PEM) where one is wanted."""

    code: str
    csr: str = ""


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    shared = web.shared
    root = "/api/v1"

    @router.post(
        f"{root}/claims", tags=["devices"], summary="Exchange a one-time code for credentials; they are in this answer"
        " alone",
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": {
            "type": "object", "required": ["code"], "additionalProperties": False,
            "properties": {"code": {"type": "string"}, "csr": {"type": "string"}},
        }}}}},
    )  # fmt: skip
    async def claim(request: Request) -> Response:
        raw = await request.body()
        try:
            body = msgspec.json.decode(raw[:MAX_BODY], type=ClaimBody)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as fault:
            raise Problem(422, "The body must be {code} or {code, csr}, both texts.", rule="{code, csr}") from fault
        address = request.client.host if request.client else ""
        return answer(await run_in_threadpool(_claimed, web, body, address), 201)

    def moved(who: Who, tenant: str, device: str, move: str, match: int | None) -> Response:
        if tenant != who.tenant:
            raise not_found("device")
        expect(DEVICE, match, who, device)
        act = suspend_device if move == "suspended" else resume_device
        try:
            act(shared.database, tenant, device, now=web.now(who), actor=who.actor)
        except UnknownDevice as fault:
            raise not_found("device") from fault
        except IllegalTransition as fault:
            raise Problem(409, str(fault), state=str(fault.state), allowed=list(fault.allowed)) from fault
        return answer({"tenant": tenant, "device": device, "state": move})

    @router.post(f"{root}/devices/{{tenant}}/{{device}}/suspend", tags=["devices"], summary="Keep a device out for now")
    def suspend(who: Who, tenant: str, device: str, match: Match) -> Response:
        return moved(who, tenant, device, "suspended", match)

    @router.post(f"{root}/devices/{{tenant}}/{{device}}/resume", tags=["devices"], summary="Let it in again")
    def resume(who: Who, tenant: str, device: str, match: Match) -> Response:
        return moved(who, tenant, device, "created", match)

    @router.post(
        f"{root}/devices/{{tenant}}/{{device}}/claim-code", tags=["devices"],
        summary="Make a one-time code; it is in this answer alone",
    )  # fmt: skip
    def claim_code(who: Who, tenant: str, device: str, minutes: int = DEFAULT_LIFE // timedelta(minutes=1)) -> Response:
        if tenant != who.tenant:
            raise not_found("device")
        try:
            made = claims.make_code(
                shared.database, tenant, device, now=web.now(who), wall=web.wall(), life=timedelta(minutes=minutes),
                actor=who.actor,
            )  # fmt: skip
        except UnknownDevice as fault:
            raise not_found("device") from fault
        except IllegalTransition as fault:
            raise Problem(409, str(fault), state=str(fault.state), allowed=list(fault.allowed)) from fault
        except (RegistryFault, OverflowError) as fault:
            raise Problem(
                422, "minutes: must be above 0 and at most 30 days", field="minutes", value=minutes
            ) from fault
        said = {"tenant": tenant, "device": device, "code": made.code, "expires_at": made.expires_at}
        return answer({**said, "claim": f"{web.settings.url.rstrip('/')}{root}/claims"}, 201, secret=True)


def _claimed(web: Web, body: ClaimBody, address: str) -> dict[str, Any]:
    """Credentials of the device whose code this is. Raises Problem."""
    settings, shared, wall = web.settings, web.shared, web.wall()
    pki = PkiFolder(Path(settings.pki_dir), settings.ca_key) if settings.pki_dir else None
    request = body.csr.encode() or None
    authority = None
    try:
        if request is not None:
            if pki is None:
                raise PkiFault("csr", "certificates are not signed here")
            check_request(request)  # before the code is spent
            authority = pki.authority(wall)
        made = claims.claim(
            shared.database, body.code, wall=wall, now_of=lambda tenant: web.clock(tenant).now(), address=address
        )
    except claims.ClaimRefused as refused:
        raise Problem(STATUS[refused.reason], str(refused), reason=refused.reason) from refused
    except PkiFault as fault:
        raise Problem(422, f"csr: {fault.rule}", field="csr", rule=fault.rule) from fault
    certificate = ""
    if authority is not None:
        try:
            certificate = issue_certificate(
                shared.database, authority, made.tenant, made.device, now=web.clock(made.tenant).now(), wall=wall,
                life=CLIENT_LIFE, request=request, actor=f"claim from {address}"[:128],
            ).certificate  # fmt: skip
        except PkiFault as fault:  # a user name too long for a certificate; the secret is good
            log.warning("device %s/%s was claimed without a certificate: %s", made.tenant, made.device, fault)
    ca = pki.certificate.read_text() if pki is not None and pki.certificate.exists() else ""
    return {**_credentials(web, made), "ca": ca, "certificate": certificate}


def _credentials(web: Web, made: NewDevice) -> dict[str, str]:
    def at(scheme: str, where: str) -> str:
        return f"{scheme}://{quote(made.username, safe='')}:{made.password}@{where}" if where else ""

    settings = web.settings
    return {
        "tenant": made.tenant, "device": made.device, "username": made.username, "password": made.password,
        "mqtt": at("mqtt", settings.mqtt), "mqtts": at("mqtts", settings.mqtts),
        "topic": topics.topic(made.tenant, made.device, "telemetry"), "command_key": settings.command_key(),
    }  # fmt: skip
