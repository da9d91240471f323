"""A device's identity by hand: suspended, resumed, a claim code with its picture, a certificate to take away once."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.identity import bundle, pki_of
from api.problems import Problem, not_found
from api.web import Web, back_to
from ingest.domain.codes import DEFAULT_LIFE, LONGEST_LIFE
from ingest.domain.lifecycle import IllegalTransition
from ingest.service import certificates, claims
from ingest.service.registry import RegistryFault, UnknownDevice, resume_device, suspend_device
from plumbing.pki import CLIENT_LIFE, PkiFault

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_MINUTES = LONGEST_LIFE // timedelta(minutes=1)
NO_STORE = {"Cache-Control": "no-store"}


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    database = web.shared.database

    def moved(who: Who, device: str, act: "Callable[..., None]") -> Response:
        try:
            act(database, who.tenant, device, now=web.now(who), actor=who.actor)
        except UnknownDevice as fault:
            raise not_found("device") from fault
        except IllegalTransition as fault:
            raise Problem(409, f"Somebody was faster: {fault}.", state=str(fault.state)) from fault
        return back_to(f"/devices/{device}")

    @router.post("/devices/{device}/suspend", include_in_schema=False)
    def suspend(who: Who, device: str) -> Response:
        return moved(who, device, suspend_device)

    @router.post("/devices/{device}/resume", include_in_schema=False)
    def resume(who: Who, device: str) -> Response:
        return moved(who, device, resume_device)

    @router.post("/devices/{device}/claim-code", include_in_schema=False)
    def claim_code(
        request: Request, who: Who, device: str,
        minutes: Annotated[int, Form(ge=1, le=LONGEST_MINUTES)] = DEFAULT_LIFE // timedelta(minutes=1),
    ) -> Response:  # fmt: skip
        import segno

        try:
            made = claims.make_code(
                database, who.tenant, device, now=web.now(who), wall=web.wall(), life=timedelta(minutes=minutes),
                actor=who.actor,
            )  # fmt: skip
        except UnknownDevice as fault:
            raise not_found("device") from fault
        except IllegalTransition as fault:
            raise Problem(409, f"No claim code: {fault}.", state=str(fault.state)) from fault
        address = web.settings.url.rstrip("/")
        # in the fragment the code reaches no server's log
        picture = segno.make(f"{address}/api/v1/claims#{made.code}", error="m", micro=False)
        shown = web.page(
            request, "claim_code.html", 201, made=made, address=address, minutes=minutes,
            picture=picture.svg_data_uri(scale=4, border=4, light="white"),
        )  # fmt: skip
        shown.headers.update(NO_STORE)
        return shown

    @router.post("/devices/{device}/certificate", include_in_schema=False)
    def issue(who: Who, device: str) -> Response:
        if web.owners.device(who, device) is None:
            raise not_found("device")
        pki, wall = pki_of(web), web.wall()
        if pki is None:
            raise Problem(409, "Certificates are not signed here: no folder of an authority is set.")
        try:
            made = certificates.issue_certificate(
                database, pki.authority(wall), who.tenant, device, now=web.now(who), wall=wall, life=CLIENT_LIFE,
                actor=who.actor,
            )  # fmt: skip
        except UnknownDevice as fault:
            raise Problem(409, "No certificate: the device is suspended or revoked.") from fault
        except PkiFault as fault:
            raise Problem(409, f"No certificate: {fault}.") from fault
        content = bundle(made.certificate, made.key or "", pki.certificate.read_text())
        name = f'attachment; filename="{device}-certificate.zip"'
        return Response(content, 201, {"Content-Disposition": name, **NO_STORE}, "application/zip")

    @router.post("/devices/{device}/certificate/revoke", include_in_schema=False)
    def void(who: Who, device: str, serial: Annotated[str, Form(max_length=64)] = "") -> Response:
        if web.owners.device(who, device) is None:
            raise not_found("device")
        try:
            if not serial:  # an empty one would mean all
                raise RegistryFault("serial", serial, "is missing")
            certificates.revoke_certificates(
                database, who.tenant, device, now=web.now(who), wall=web.wall(), serial=serial, actor=who.actor
            )
        except RegistryFault as fault:
            raise Problem(409, "The device has no certificate of this number that is good.") from fault
        return back_to(f"/devices/{device}")
