"""Checks a request of /exchange (signature, nonce, expiry, quota) and executes its action."""

from decimal import Decimal
from typing import Any

from strandline_sim.hyperliquid import signing
from strandline_sim.hyperliquid.account import Account
from strandline_sim.hyperliquid.actions import (
    WHOLE,
    Actions,
    Answer,
    MalformedError,
    decode_action,
    ok,
    refused,
    request_count,
)
from strandline_sim.hyperliquid.agents import Agents
from strandline_sim.hyperliquid.exchange import Exchange
from strandline_sim.hyperliquid.limits import RequestQuota
from strandline_sim.hyperliquid.nonces import Nonces
from strandline_sim.hyperliquid.wire_actions import (
    Action,
    ApproveAgentAction,
    ApproveBuilderFeeAction,
    CancelAction,
    CancelByCloidAction,
    Request,
    canonical,
)
from strandline_sim.web import MalformedJsonError, decode_json


class RequestAuth:
    """Executes valid signed requests, and refuses others with the venue's errors."""

    def __init__(self, exchange: Exchange, *, nonce_window: bool, limit_requests: bool) -> None:
        self.agents = Agents()
        self.quota = RequestQuota()
        self._exchange = exchange
        self._actions = Actions(exchange)
        self._nonces: dict[str, Nonces] = {}
        self._nonce_window = nonce_window
        self._limit_requests = limit_requests

    def handle(self, body: bytes, skew_ms: int = 0, share: Decimal = WHOLE) -> Answer:
        """Handle a request; `skew_ms` is how far the venue's clock is ahead."""
        try:
            request = decode_json(body, Request)
        except MalformedJsonError as error:
            raise MalformedError(str(error)) from error
        action = decode_action(request.action)
        try:
            signer = self._signer(request, action)
        except signing.UnrecoverableError:
            return self._refuse("Unable to recover signer.", request, None)
        account = self._account_of(signer)
        refusal = self._refusal(request, signer, account, skew_ms)
        if refusal is not None or account is None:
            return self._refuse(refusal or "", request, signer)
        if self._limit_requests:
            cancels = isinstance(action, CancelAction | CancelByCloidAction)
            refusal = self.quota.use(account, request_count(action), self._exchange.now, cancels=cancels)
            if refusal is not None:
                return self._refuse(refusal, request, signer)
        if isinstance(action, ApproveAgentAction | ApproveBuilderFeeAction):
            return self._approve(account, signer, action, request)
        answer = self._actions.execute(account, action, share)
        if answer["status"] == "err":
            self._note(answer["response"], request, signer)
        return answer

    @staticmethod
    def _signer(request: Request, action: Action) -> str:
        if request.action.get("type") in signing.USER_SIGNED:
            return signing.user_signer(request.action, request.signature)
        return signing.l1_signer(
            canonical(action), request.signature, request.nonce, request.vault_address, request.expires_after
        )

    def _account_of(self, signer: str) -> Account | None:
        return self._exchange.account(self.agents.owner_of(signer, self._exchange.now) or signer)

    def _refusal(self, request: Request, signer: str, account: Account | None, skew_ms: int) -> str | None:
        """Return the error that refuses the whole request; the nonce is used only if nothing else is wrong."""
        now = self._exchange.now + skew_ms
        user_signed = request.action.get("type") in signing.USER_SIGNED
        if account is None and user_signed:
            return f"Must deposit before performing actions. User: {signer}"
        if account is None or (user_signed and account.address != signer):
            return f"User or API Wallet {signer} does not exist."
        if request.vault_address is not None:
            return f"Vault not registered: {request.vault_address.lower()}"
        if user_signed and request.action.get("nonce") != request.nonce:
            return "Invalid nonce: nonce of the action differs"
        if request.expires_after is not None and request.expires_after < now:
            return "Action already expired"
        return self._nonces.setdefault(signer, Nonces()).use(request.nonce, now if self._nonce_window else None)

    def _approve(
        self, account: Account, signer: str, action: ApproveAgentAction | ApproveBuilderFeeAction, request: Request
    ) -> Answer:
        if isinstance(action, ApproveBuilderFeeAction):
            return self._refuse("Builder has insufficient balance to be approved.", request, signer)
        agent = action.agent_address.lower()
        if self._exchange.account(agent) is not None:
            return self._refuse("Extra agent already used.", request, signer)
        name = action.agent_name or ""
        refusal = self.agents.approve(account.address, agent, name, self._exchange.now)
        if refusal is not None:
            return self._refuse(refusal, request, signer)
        self._exchange.ledger.note("agent", account.address, agent=agent, name=name)
        return ok()

    def _refuse(self, text: str, request: Request, signer: str | None) -> Answer:
        self._note(text, request, signer)
        return refused(text)

    def _note(self, text: str, request: Request, signer: str | None) -> None:
        kind: Any = request.action.get("type")
        self._exchange.ledger.note("action_refused", signer or "", action=kind, nonce=str(request.nonce), error=text)
