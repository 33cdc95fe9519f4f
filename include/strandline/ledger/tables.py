"""Loads books from the ledger's tables, and saves them."""

from uuid import UUID

from sqlalchemy import Connection, text

from strandline.ledger.account import Account
from strandline.ledger.books import Books
from strandline.model.exact import Amount, Quantity
from strandline.model.position import Holding
from strandline.store.rows import from_row, to_row, updates, values


def load_holding(connection: Connection, books: Books, position_id: UUID) -> None:
    """Load the row's holding, if there is one."""
    row = connection.execute(
        text("SELECT * FROM holdings WHERE position_id = :position_id"), {"position_id": position_id}
    ).one_or_none()
    if row is not None:
        books.holdings[position_id] = from_row(Holding, row)


def load_dust(connection: Connection, books: Books, account: Account, token: str) -> None:
    """Load the account's dust of this token."""
    quantity = connection.scalar(
        text("""
        SELECT quantity FROM dust
        WHERE (token_chain, book_id, address, token_contract) = (:token_chain, :book_id, :address, :token)
        """),
        to_row(account) | {"token": token},
    )
    if quantity is not None:
        books.dust[account, token] = Quantity(quantity)


def load_cash(connection: Connection, books: Books, account: Account) -> None:
    """Load the account's cash, all assets."""
    rows = connection.execute(
        text("""
        SELECT asset, amount FROM cash WHERE (token_chain, book_id, address) = (:token_chain, :book_id, :address)
        """),
        to_row(account),
    )
    books.cash.update({(account, row.asset): Amount(row.amount) for row in rows})


def clear(connection: Connection) -> None:
    """Delete all holdings, dust, cash and trades."""
    connection.execute(text("DELETE FROM trades"))
    connection.execute(text("DELETE FROM holdings"))
    connection.execute(text("DELETE FROM dust"))
    connection.execute(text("DELETE FROM cash"))


def save(connection: Connection, books: Books) -> None:
    """Insert or replace everything that is in the books."""
    if holdings := [{"position_id": position_id} | to_row(held) for position_id, held in books.holdings.items()]:
        connection.execute(
            text(f"""
            INSERT INTO holdings {values(holdings[0])}
            ON CONFLICT (position_id) DO UPDATE SET {updates(holdings[0], key=("position_id",))}
            """),
            holdings,
        )
    if dust := [
        to_row(account) | {"token_contract": token, "quantity": quantity.decimal}
        for (account, token), quantity in books.dust.items()
    ]:
        connection.execute(
            text(f"""
            INSERT INTO dust {values(dust[0])}
            ON CONFLICT (token_chain, book_id, address, token_contract) DO UPDATE SET quantity = EXCLUDED.quantity
            """),
            dust,
        )
    if cash := [
        to_row(account) | {"asset": asset, "amount": amount.decimal} for (account, asset), amount in books.cash.items()
    ]:
        connection.execute(
            text(f"""
            INSERT INTO cash {values(cash[0])}
            ON CONFLICT (token_chain, book_id, address, asset) DO UPDATE SET amount = EXCLUDED.amount
            """),
            cash,
        )
    if trades := [to_row(trade) for trade in books.trades.values()]:
        connection.execute(
            text(f"""
            INSERT INTO trades {values(trades[0])}
            ON CONFLICT (position_id, trade_no) DO UPDATE SET {updates(trades[0], key=("position_id", "trade_no"))}
            """),
            trades,
        )
