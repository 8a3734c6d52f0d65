# The portal's one image: web server, workers and beat differ only in their command.

FROM python:3.12-slim AS packages
RUN python -m venv /venv
COPY requirements-production.lock /tmp/
RUN /venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r /tmp/requirements-production.lock

FROM python:3.12-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2 \
    DATA_DIR=/srv/portal/data \
    STATIC_ROOT=/srv/portal/static
RUN useradd --system --uid 10001 --home-dir /srv/portal portal \
    && install -d -o portal -g portal /srv/portal/data /srv/portal/static
WORKDIR /srv/portal/app
COPY --from=packages /venv /venv
COPY . .
USER portal
# Before PORTAL_ENV: collecting static files needs no secret, and none may end up in a layer.
RUN python manage.py collectstatic --noinput -v 0
ENV PORTAL_ENV=production
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "8", "portal.wsgi:application"]
