# One image for every service; `docker-compose.yml` says which one runs. Built with the same commands as a checkout.
FROM python:3.11-slim-bookworm

RUN apt-get update && apt-get install --yes --no-install-recommends make \
    libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core fonts-wqy-microhei && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 forewarn
WORKDIR /opt/forewarn

COPY Makefile pyproject.toml README.md LICENSE ./
COPY requirements requirements
COPY contracts contracts
COPY plumbing plumbing
COPY edge_agent edge_agent
COPY ingest ingest
COPY anomaly anomaly
COPY work_orders work_orders
COPY api api
COPY simulators simulators
COPY forewarn forewarn
COPY asset_models asset_models
RUN make setup

ENV PATH=/opt/forewarn/.venv/bin:$PATH \
    FOREWARN_HOME=/var/lib/forewarn \
    FOREWARN_HEALTH_PORT=8421
RUN mkdir -p /var/lib/forewarn /var/lib/broker && chown forewarn:forewarn /var/lib/forewarn /var/lib/broker
USER forewarn
ENTRYPOINT ["forewarn"]
CMD ["--help"]
