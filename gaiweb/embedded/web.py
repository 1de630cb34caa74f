"""The web process: uvicorn with our lifespan, our logs and a bounded drain."""

from __future__ import annotations

import os

import uvicorn


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gaiweb.settings")
    from django.conf import settings

    config = settings.GAIWEB
    uvicorn.run(
        "gaiweb.asgi:application",
        host=config.host,
        port=config.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=config.drain_limit_s,
        access_log=False,
        server_header=False,
        log_config=None,
        proxy_headers=bool(config.trusted_proxies),
        forwarded_allow_ips=list(config.trusted_proxies),
    )


if __name__ == "__main__":
    main()
