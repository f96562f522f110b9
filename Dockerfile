# The worker: the pinned packages, the product, no tools, no root.
FROM python:3.11.13-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/basketstream
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# First what seldom changes, so that a change of the sources builds in seconds.
COPY deploy/worker.txt ./
RUN /opt/basketstream/bin/python -m pip install --require-hashes -r worker.txt
COPY pyproject.toml README.md LICENSE ./
COPY stream ./stream
RUN /opt/basketstream/bin/python -m pip install --no-deps --no-build-isolation .

FROM python:3.11.13-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin basketstream
COPY --from=build /opt/basketstream /opt/basketstream
ENV PATH=/opt/basketstream/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Faust wants a folder for its own state; the product keeps none there.
WORKDIR /var/lib/basketstream
RUN chown basketstream /var/lib/basketstream
USER 10001
ENTRYPOINT ["basketstream"]
CMD ["worker"]
