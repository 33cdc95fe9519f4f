"""Jupiter's HTTP server."""

from aiohttp import web

from strandline_sim.solana.jupiter_request import Jupiter, json_handler
from strandline_sim.solana.jupiter_swap import SwapHandlers
from strandline_sim.solana.jupiter_tokens import TokenHandlers
from strandline_sim.solana.rate_limit import Gateway, Plans
from strandline_sim.web import fault_middleware, json_response


def jupiter_app(jupiter: Jupiter, plans: Plans) -> web.Application:
    """Make the application: Swap V2, Price V3, Tokens V2."""
    swap, tokens = SwapHandlers(jupiter), TokenHandlers(jupiter)
    gateway = Gateway(plans, jupiter.clock).middleware()
    app = web.Application(middlewares=[gateway, fault_middleware(jupiter.faults, jupiter.clock, _route)])
    app.add_routes(
        [
            web.get("/swap/v2/quote", json_handler(swap.quote)),
            web.post("/swap/v2/swap", json_handler(swap.swap)),
            web.post("/swap/v2/swap-instructions", json_handler(swap.instructions)),
            web.get("/swap/v2/program-id-to-label", json_handler(swap.program_labels)),
            web.get("/price/v3", json_handler(tokens.prices)),
            web.get("/tokens/v2/search", json_handler(tokens.search)),
            web.route("*", "/{other:.*}", _refuse_unserved),
        ]
    )
    return app


async def _refuse_unserved(request: web.Request) -> web.Response:
    """Refuse whatever is not served, as any path of Jupiter's other APIs."""
    return json_response({"error": f"{request.method} {request.path} is not simulated", "errorCode": "NOT_FOUND"}, 404)


def _route(request: web.Request, _: bytes) -> str:
    """Name the route of faults: Swap's endpoints by the last part of the path, others by the first."""
    words = request.path.strip("/").split("/")
    return f"solana/jupiter/{words[-1] if words[0] == 'swap' else words[0]}"
