"""The ledger's tables, read into books and written from them."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.ledger.account import Account
from strandline.ledger.books import Books
from strandline.model.exact import Amount, Money, Price, Quantity
from strandline.model.position import Holding


def load_holding(connection: Connection, books: Books, position_id: UUID) -> None:
    """What the row holds, if it ever held anything."""
    row = connection.execute(
        text("SELECT * FROM holdings WHERE position_id = :position_id"), {"position_id": position_id}
    ).one_or_none()
    if row is not None:
        books.holdings[position_id] = holding_of(row)


def load_dust(connection: Connection, books: Books, account: Account, token: str) -> None:
    """What the account has of this token that no row can sell."""
    quantity = connection.scalar(
        text("""
        SELECT quantity FROM dust
        WHERE (token_chain, book_id, address, token_contract) = (:token_chain, :book_id, :address, :token)
        """),
        {**account.columns, "token": token},
    )
    if quantity is not None:
        books.dust[account, token] = Quantity(quantity)


def load_cash(connection: Connection, books: Books, account: Account) -> None:
    """The account's assets."""
    rows = connection.execute(
        text("""
        SELECT asset, amount FROM cash WHERE (token_chain, book_id, address) = (:token_chain, :book_id, :address)
        """),
        account.columns,
    )
    books.cash.update({(account, row.asset): Amount(row.amount) for row in rows})


def holding_of(row: Any) -> Holding:  # noqa: ANN401  a row of SQLAlchemy's
    """From a row that has the columns of `holdings`."""
    return Holding(
        trade_no=row.trade_no,
        quantity=Quantity(row.quantity),
        average_entry=None if row.average_entry is None else Price(row.average_entry),
        invested=Money(row.invested),
        extracted=Money(row.extracted),
        realised_pnl=Money(row.realised_pnl),
        fees=Money(row.fees),
        first_fill_at=row.first_fill_at,
        last_fill_at=row.last_fill_at,
    )


def clear(connection: Connection) -> None:
    """Forget all projections."""
    connection.execute(text("DELETE FROM trades"))
    connection.execute(text("DELETE FROM holdings"))
    connection.execute(text("DELETE FROM dust"))
    connection.execute(text("DELETE FROM cash"))


def save(connection: Connection, books: Books) -> None:
    """Write down all that is in the books."""
    _write(
        connection,
        """
        INSERT INTO holdings (position_id, trade_no, quantity, average_entry, invested, extracted, realised_pnl, fees,
                              first_fill_at, last_fill_at)
        VALUES (:position_id, :trade_no, :quantity, :average_entry, :invested, :extracted, :realised_pnl, :fees,
                :first_fill_at, :last_fill_at)
        ON CONFLICT (position_id) DO UPDATE SET
          trade_no = EXCLUDED.trade_no, quantity = EXCLUDED.quantity, average_entry = EXCLUDED.average_entry,
          invested = EXCLUDED.invested, extracted = EXCLUDED.extracted, realised_pnl = EXCLUDED.realised_pnl,
          fees = EXCLUDED.fees, first_fill_at = EXCLUDED.first_fill_at, last_fill_at = EXCLUDED.last_fill_at
        """,
        [{"position_id": position_id, **_holding(held)} for position_id, held in books.holdings.items()],
    )
    _write(
        connection,
        """
        INSERT INTO dust VALUES (:token_chain, :book_id, :address, :token, :quantity)
        ON CONFLICT (token_chain, book_id, address, token_contract) DO UPDATE SET quantity = EXCLUDED.quantity
        """,
        [
            {**account.columns, "token": token, "quantity": quantity.decimal}
            for (account, token), quantity in books.dust.items()
        ],
    )
    _write(
        connection,
        """
        INSERT INTO cash VALUES (:token_chain, :book_id, :address, :asset, :amount)
        ON CONFLICT (token_chain, book_id, address, asset) DO UPDATE SET amount = EXCLUDED.amount
        """,
        [
            {**account.columns, "asset": asset, "amount": amount.decimal}
            for (account, asset), amount in books.cash.items()
        ],
    )
    _write(
        connection,
        """
        INSERT INTO trades (position_id, trade_no, opened_at, closed_at, invested, extracted, fees, net_pnl,
                            close_reason)
        VALUES (:position_id, :trade_no, :opened_at, :closed_at, :invested, :extracted, :fees, :net_pnl, :close_reason)
        ON CONFLICT (position_id, trade_no) DO UPDATE SET
          opened_at = EXCLUDED.opened_at, closed_at = EXCLUDED.closed_at, invested = EXCLUDED.invested,
          extracted = EXCLUDED.extracted, fees = EXCLUDED.fees, net_pnl = EXCLUDED.net_pnl,
          close_reason = EXCLUDED.close_reason
        """,
        [
            {
                **trade._asdict(),
                "invested": trade.invested.decimal,
                "extracted": trade.extracted.decimal,
                "fees": trade.fees.decimal,
                "net_pnl": trade.net_pnl.decimal,
            }
            for trade in books.trades.values()
        ],
    )


def _write(connection: Connection, statement: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(text(statement), rows)


def _holding(held: Holding) -> dict[str, Any]:
    return {
        "trade_no": held.trade_no,
        "quantity": held.quantity.decimal,
        "average_entry": None if held.average_entry is None else held.average_entry.decimal,
        "invested": held.invested.decimal,
        "extracted": held.extracted.decimal,
        "realised_pnl": held.realised_pnl.decimal,
        "fees": held.fees.decimal,
        "first_fill_at": held.first_fill_at,
        "last_fill_at": held.last_fill_at,
    }
