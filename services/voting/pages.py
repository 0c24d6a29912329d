from litestar import Router

pages_router = Router("/", route_handlers=[])
