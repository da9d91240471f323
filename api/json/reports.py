"""The service report of a work order: a page, a PDF, for people and programs."""

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from api.guard import Who
from api.owners.reports import Reports
from api.web import Web

PAGE_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:"}


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    reports = Reports(web.shared, web.settings.audit_key)

    def pdf(who: Who, order: str) -> Response:
        named = {"Content-Disposition": f'attachment; filename="service-report-{order}.pdf"'}
        return Response(reports.pdf(who, order), media_type="application/pdf", headers=named)

    @router.get("/orders/{order}/report", include_in_schema=False)
    def page(who: Who, order: str) -> Response:
        return HTMLResponse(reports.page(who, order), headers=PAGE_HEADERS)

    router.get("/orders/{order}/report.pdf", include_in_schema=False)(pdf)
    router.get(
        "/api/v1/work-orders/{order}/report", tags=["work"], response_class=Response,
        summary="The service report (PDF with its proof); 409 where it cannot be made, saying why",
        responses={200: {"content": {"application/pdf": {}}}},
    )(pdf)  # fmt: skip
