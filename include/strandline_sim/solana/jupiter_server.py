"""Jupiter's HTTP server."""

from aiohttp import web

from strandline_sim.solana.jupiter_catalogue import Catalogue
from strandline_sim.solana.jupiter_execute import Executing
from strandline_sim.solana.jupiter_order import Ordering
from strandline_sim.solana.jupiter_quote import Quoting
from strandline_sim.solana.jupiter_request import Jupiter, answering
from strandline_sim.solana.rate_limit import Gateway, Plans
from strandline_sim.web import fault_middleware


def jupiter_app(jupiter: Jupiter, plans: Plans, seed: int) -> web.Application:
    """Swap V2 and V1, Price V3, Tokens V2."""
    quoting, catalogue, ordering = Quoting(jupiter), Catalogue(jupiter), Ordering(jupiter, seed)
    executing = Executing(jupiter, ordering)
    gateway = Gateway(plans, jupiter.clock).middleware()
    app = web.Application(middlewares=[gateway, fault_middleware(jupiter.faults, jupiter.clock, _route)])
    app.add_routes(
        [
            web.get("/swap/v2/quote", answering(quoting.quote)),
            web.post("/swap/v2/swap", answering(quoting.swap_v2)),
            web.post("/swap/v2/swap-instructions", answering(quoting.instructions_v2)),
            web.get("/swap/v2/order", answering(ordering.order)),
            web.post("/swap/v2/execute", answering(executing.execute)),
            web.get("/swap/v1/quote", answering(quoting.quote)),
            web.post("/swap/v1/swap", answering(quoting.swap_v1)),
            web.post("/swap/v1/swap-instructions", answering(quoting.instructions_v1)),
            web.get("/price/v3", answering(catalogue.prices)),
            web.get("/tokens/v2/search", answering(catalogue.search)),
            web.get("/tokens/v2/tag", answering(catalogue.tag)),
        ]
    )
    return app


def _route(request: web.Request, _: bytes) -> str:
    """By the API's last word: quote, swap, swap-instructions, order, execute; price; tokens."""
    words = request.path.strip("/").split("/")
    return f"solana/jupiter/{words[-1] if words[0] == 'swap' else words[0]}"
