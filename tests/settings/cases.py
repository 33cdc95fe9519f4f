"""Settings that are right for each mode, and settings that are wrong, with the faults that must be reported."""

from dataclasses import dataclass

ADDRESS = "0x" + "aB" * 20
ETHEREUM_KEY = "0x" + "5e" * 32
SOLANA_KEY = "4" + "z" * 86
SOLANA_KEY_NUMBERS = f"[{','.join(['7'] * 64)}]"
RPC_URL = "https://rpc.example.org/v2/rpc-api-key?token=rpc-token"

# Whatever a test puts in: no output may hold it.
SECRET_PARTS = (ETHEREUM_KEY[2:], SOLANA_KEY, SOLANA_KEY_NUMBERS, "rpc-api-key", "rpc-token", "pass-word", "jup-key")

HYPERLIQUID_ON = {
    "STRANDLINE_HYPERLIQUID_ENABLED": "true",
    "STRANDLINE_HYPERLIQUID_ADDRESS": ADDRESS,
    "STRANDLINE_HYPERLIQUID_KEY": ETHEREUM_KEY,
}
SOLANA_ON = {
    "STRANDLINE_SOLANA_ENABLED": "true",
    "STRANDLINE_SOLANA_KEY": SOLANA_KEY,
    "STRANDLINE_SOLANA_RPC_URL": RPC_URL,
}
TESTNET = {"STRANDLINE_MODE": "testnet", **HYPERLIQUID_ON}
LIVE = {"STRANDLINE_MODE": "live", **HYPERLIQUID_ON}


@dataclass(frozen=True)
class Wrong:
    """`{here}` in a value, a file or a fault stands for the test's directory."""

    faults: tuple[str, ...]
    environment: dict[str, str]
    env_file: str = ""


def _wrong(*faults: str, env_file: str = "", **environment: str) -> Wrong:
    return Wrong(faults, environment, env_file)


def _without(settings: dict[str, str], *variables: str) -> dict[str, str]:
    return {variable: value for variable, value in settings.items() if variable not in variables}


_HEX_64 = "is not 0x followed by 64 hexadecimal digits; write one such as 0x…"
_HEX_40 = f"is not 0x followed by 40 hexadecimal digits; write one such as 0x{'0' * 40}"
_SOLANA = (
    "is not a base58 text of 87 or 88 characters, or a JSON array of 64 numbers from 0 to 255; "
    "write one such as [174,47,…]"
)
_DATABASE = (
    "is not a postgresql:// URL with a database name; "
    "write one such as postgresql://user:password@localhost:5432/strandline"
)
_VENUE_URL = (
    "is not an http:// or https:// URL without user name and query; write one such as https://api.hyperliquid.xyz"
)
_RPC = "is not an http:// or https:// URL; write one such as https://rpc.example.org/?api-key=…"
_PERCENT = "which is not a number above 0, at most 100; write one such as 5"
_MONEY = "which is not a number above 0, at most 1000000000000; write one such as 10000"
_MONEY_OR_ZERO = "which is not a number from 0 to 1000000000000; write one such as 5000"
_COUNT = "which is not a whole number, at least 1; write one such as 5"
_PORT = "which is not a whole number from 1 to 65535; write one such as 8080"
_SWITCH = "which is not one of true, false, yes, no, on, off, 1, 0; write one such as true"
_MODE = "which is not one of sim, paper, testnet, live"
_DIRECTORY = "which is not a directory, there already or to be made; write one such as ~/.strandline"
_FILE = "which is not an existing file; write one such as"

MALFORMED = {
    "mode misspelt": _wrong(
        f"STRANDLINE_MODE is 'lvie', {_MODE}; did you mean 'live'?",
        STRANDLINE_MODE="lvie",
    ),
    "mode in capitals": _wrong(f"STRANDLINE_MODE is 'LIVE', {_MODE}; did you mean 'live'?", STRANDLINE_MODE="LIVE"),
    "mode unlike any": _wrong(f"STRANDLINE_MODE is 'x', {_MODE}; choose one of them", STRANDLINE_MODE="x"),
    "mode with a line break": _wrong(
        f"STRANDLINE_MODE is 'a\\nb', {_MODE}; choose one of them",
        STRANDLINE_MODE="a\nb",
    ),
    "mode empty": _wrong("STRANDLINE_MODE is empty; remove the line or give a value", STRANDLINE_MODE=""),
    "mode of blanks": _wrong("STRANDLINE_MODE is empty; remove the line or give a value", STRANDLINE_MODE="  "),
    "seed name empty": _wrong("MAX_DRAWDOWN_PCT is empty; remove the line or give a value", MAX_DRAWDOWN_PCT=""),
    "home is a file": _wrong(f"STRANDLINE_HOME is '{{here}}/.env', {_DIRECTORY}", STRANDLINE_HOME="{here}/.env"),
    "home under a file": _wrong(f"STRANDLINE_HOME is '{{here}}/.env/x', {_DIRECTORY}", STRANDLINE_HOME="{here}/.env/x"),
    "home of nobody": _wrong(f"STRANDLINE_HOME is '~no-such-user', {_DIRECTORY}", STRANDLINE_HOME="~no-such-user"),
    "home name too long": _wrong(f"STRANDLINE_HOME is '/{'x' * 300}', {_DIRECTORY}", STRANDLINE_HOME="/" + "x" * 300),
    "secrets directory missing": _wrong(
        "STRANDLINE_SECRETS_DIR is '{here}/none', which is not an existing directory; write one such as /run/secrets",
        STRANDLINE_SECRETS_DIR="{here}/none",
    ),
    "env file missing": _wrong(
        f"STRANDLINE_ENV_FILE is '{{here}}/none', {_FILE} testnet.env", STRANDLINE_ENV_FILE="{here}/none"
    ),
    "strategy missing": _wrong(
        f"STRANDLINE_STRATEGY_FILE is '{{here}}/none', {_FILE} my-strategy.toml",
        STRANDLINE_STRATEGY_FILE="{here}/none",
    ),
    "strategy is a directory": _wrong(
        f"STRANDLINE_STRATEGY_FILE is '{{here}}', {_FILE} my-strategy.toml", STRANDLINE_STRATEGY_FILE="{here}"
    ),
    "log level": _wrong(
        "STRANDLINE_LOG_LEVEL is 'warn', which is not one of DEBUG, INFO, WARNING, ERROR; did you mean 'WARNING'?",
        STRANDLINE_LOG_LEVEL="warn",
    ),
    "port zero": _wrong(f"STRANDLINE_AIRFLOW_PORT is '0', {_PORT}", STRANDLINE_AIRFLOW_PORT="0"),
    "port too high": _wrong(f"STRANDLINE_AIRFLOW_PORT is '65536', {_PORT}", STRANDLINE_AIRFLOW_PORT="65536"),
    "port not a number": _wrong(f"STRANDLINE_AIRFLOW_PORT is 'web', {_PORT}", STRANDLINE_AIRFLOW_PORT="web"),
    "portfolio zero": _wrong(
        f"STRANDLINE_INITIAL_PORTFOLIO_VALUE is '0', {_MONEY}", STRANDLINE_INITIAL_PORTFOLIO_VALUE="0"
    ),
    "portfolio by seed name": _wrong(
        f"INITIAL_PORTFOLIO_VALUE is '10,000', {_MONEY}", INITIAL_PORTFOLIO_VALUE="10,000"
    ),
    "portfolio infinite": _wrong(
        f"STRANDLINE_INITIAL_PORTFOLIO_VALUE is 'inf', {_MONEY}", STRANDLINE_INITIAL_PORTFOLIO_VALUE="inf"
    ),
    "portfolio no number": _wrong(
        f"STRANDLINE_INITIAL_PORTFOLIO_VALUE is 'NaN', {_MONEY}", STRANDLINE_INITIAL_PORTFOLIO_VALUE="NaN"
    ),
    "portfolio beyond sums": _wrong(
        f"STRANDLINE_INITIAL_PORTFOLIO_VALUE is '9e999999', {_MONEY}", STRANDLINE_INITIAL_PORTFOLIO_VALUE="9e999999"
    ),
    "share negative": _wrong(
        f"STRANDLINE_SOLANA_INITIAL_VALUE is '-1', {_MONEY_OR_ZERO}", STRANDLINE_SOLANA_INITIAL_VALUE="-1"
    ),
    "position over 100 %": _wrong(
        f"STRANDLINE_MAX_POSITION_PCT is '100.1', {_PERCENT}", STRANDLINE_MAX_POSITION_PCT="100.1"
    ),
    "position with a sign": _wrong(f"MAX_POSITION_SIZE_PCT is '5%', {_PERCENT}", MAX_POSITION_SIZE_PCT="5%"),
    "daily loss zero": _wrong(f"STRANDLINE_MAX_DAILY_LOSS_PCT is '0', {_PERCENT}", STRANDLINE_MAX_DAILY_LOSS_PCT="0"),
    "drawdown negative": _wrong(f"MAX_DRAWDOWN_PCT is '-20', {_PERCENT}", MAX_DRAWDOWN_PCT="-20"),
    "losses zero": _wrong(f"MAX_CONSECUTIVE_LOSSES is '0', {_COUNT}", MAX_CONSECUTIVE_LOSSES="0"),
    "losses broken": _wrong(
        f"STRANDLINE_MAX_CONSECUTIVE_LOSSES is '2.5', {_COUNT}", STRANDLINE_MAX_CONSECUTIVE_LOSSES="2.5"
    ),
    "switch": _wrong(f"STRANDLINE_SOLANA_ENABLED is 'maybe', {_SWITCH}", STRANDLINE_SOLANA_ENABLED="maybe"),
    "switch by seed name": _wrong(f"HYPERLIQUID_EXECUTOR_ENABLED is '2', {_SWITCH}", HYPERLIQUID_EXECUTOR_ENABLED="2"),
    "key where the address belongs": _wrong(
        f"STRANDLINE_HYPERLIQUID_ADDRESS {_HEX_40}", STRANDLINE_HYPERLIQUID_ADDRESS=ETHEREUM_KEY
    ),
    "key cut short": _wrong(f"STRANDLINE_HYPERLIQUID_KEY {_HEX_64}", STRANDLINE_HYPERLIQUID_KEY=ETHEREUM_KEY[:-1]),
    "key without 0x": _wrong(f"STRANDLINE_HYPERLIQUID_KEY {_HEX_64}", STRANDLINE_HYPERLIQUID_KEY=ETHEREUM_KEY[2:]),
    "Solana key cut short": _wrong(f"STRANDLINE_SOLANA_KEY {_SOLANA}", STRANDLINE_SOLANA_KEY=SOLANA_KEY[:-1]),
    "Solana key with a 0": _wrong(f"STRANDLINE_SOLANA_KEY {_SOLANA}", STRANDLINE_SOLANA_KEY=SOLANA_KEY[:-1] + "0"),
    "Solana key over 64 bytes": _wrong(f"STRANDLINE_SOLANA_KEY {_SOLANA}", STRANDLINE_SOLANA_KEY="z" * 88),
    "Solana key of 63 numbers": _wrong(
        f"STRANDLINE_SOLANA_KEY {_SOLANA}", STRANDLINE_SOLANA_KEY=f"[{','.join(['7'] * 63)}]"
    ),
    "Solana key beyond bytes": _wrong(
        f"STRANDLINE_SOLANA_KEY {_SOLANA}", STRANDLINE_SOLANA_KEY=f"[{','.join(['256'] * 64)}]"
    ),
    "Solana key half a list": _wrong(f"STRANDLINE_SOLANA_KEY {_SOLANA}", STRANDLINE_SOLANA_KEY="[1,2"),
    "Solana key too deep": _wrong(f"STRANDLINE_SOLANA_KEY {_SOLANA}", STRANDLINE_SOLANA_KEY="[" * 50_000),
    "Hyperliquid URL of a socket": _wrong(
        f"STRANDLINE_HYPERLIQUID_URL {_VENUE_URL}", STRANDLINE_HYPERLIQUID_URL="wss://127.0.0.1"
    ),
    "Hyperliquid URL with a password": _wrong(
        f"STRANDLINE_HYPERLIQUID_URL {_VENUE_URL}", STRANDLINE_HYPERLIQUID_URL="https://me:pass-word@127.0.0.1"
    ),
    "Hyperliquid URL with a bad port": _wrong(
        f"STRANDLINE_HYPERLIQUID_URL {_VENUE_URL}", STRANDLINE_HYPERLIQUID_URL="http://127.0.0.1:99999"
    ),
    "Hyperliquid URL broken by a line": _wrong(
        f"STRANDLINE_HYPERLIQUID_URL {_VENUE_URL}", STRANDLINE_HYPERLIQUID_URL="http://127.\n0.0.1"
    ),
    "Hyperliquid URL with half a bracket": _wrong(
        f"STRANDLINE_HYPERLIQUID_URL {_VENUE_URL}", STRANDLINE_HYPERLIQUID_URL="http://[::1"
    ),
    "RPC URL without scheme": _wrong(f"STRANDLINE_SOLANA_RPC_URL {_RPC}", STRANDLINE_SOLANA_RPC_URL=RPC_URL[8:]),
    "Jupiter URL without host": _wrong(
        "STRANDLINE_JUPITER_URL is not an http:// or https:// URL; write one such as https://api.jup.ag",
        STRANDLINE_JUPITER_URL="https:///v2",
    ),
    "Jupiter key in two words": _wrong(
        "STRANDLINE_JUPITER_API_KEY is not one word of plain characters; write one such as …",
        STRANDLINE_JUPITER_API_KEY="jup-key jup-key",
    ),
    "database of another kind": _wrong(
        f"STRANDLINE_DATABASE_URL {_DATABASE}", STRANDLINE_DATABASE_URL="mysql://me:pass-word@localhost/strandline"
    ),
    "database without a name": _wrong(
        f"STRANDLINE_DATABASE_URL {_DATABASE}", STRANDLINE_DATABASE_URL="postgresql://me:pass-word@localhost"
    ),
    "database with a bad port": _wrong(
        f"STRANDLINE_DATABASE_URL {_DATABASE}", STRANDLINE_DATABASE_URL="postgresql://me:pass-word@localhost:x/name"
    ),
}

UNKNOWN = {
    "unknown, nearly right": _wrong(
        "STRANDLINE_MDOE is not a setting; did you mean STRANDLINE_MODE?",
        STRANDLINE_MDOE="live",
    ),
    "unknown, the prefix on a seed name": _wrong(
        "STRANDLINE_MAX_POSITION_SIZE_PCT is not a setting; did you mean STRANDLINE_MAX_POSITION_PCT?",
        STRANDLINE_MAX_POSITION_SIZE_PCT="5",
    ),
    "unknown, small letters": _wrong(
        "strandline_mode is not a setting; did you mean STRANDLINE_MODE?",
        strandline_mode="live",
    ),
    "unknown, unlike any": _wrong(
        "STRANDLINE_QQQQ is not a setting; remove it, or see `strandline config docs`",
        STRANDLINE_QQQQ=ETHEREUM_KEY,
    ),
    "unknown, with a line break": _wrong(
        "'STRANDLINE_MODE\\nX' is not a setting; did you mean STRANDLINE_MODE?",
        **{"STRANDLINE_MODE\nX": "live"},
    ),
    "seed name against our name": _wrong(
        "STRANDLINE_MAX_POSITION_PCT (environment) and MAX_POSITION_SIZE_PCT (environment) have different values; "
        "keep one of them",
        STRANDLINE_MAX_POSITION_PCT="5",
        MAX_POSITION_SIZE_PCT="7",
    ),
    "seed name against our name, in two places": _wrong(
        "HYPERLIQUID_EXECUTOR_ENABLED (.env line 2) and STRANDLINE_HYPERLIQUID_ENABLED (environment) "
        "have different values; keep one of them",
        STRANDLINE_HYPERLIQUID_ENABLED="false",
        env_file="\nHYPERLIQUID_EXECUTOR_ENABLED=1\n",
    ),
}

IN_ENV_FILE = {
    "line without a name": _wrong(
        ".env line 3 cannot be read; write it as NAME=value", env_file=f"# keys\n\n{ETHEREUM_KEY} {ETHEREUM_KEY}\n"
    ),
    "line with a colon": _wrong(
        ".env line 2 cannot be read; write it as NAME=value",
        env_file=f"STRANDLINE_MODE=sim\nSTRANDLINE_HYPERLIQUID_KEY:{ETHEREUM_KEY}\n",
    ),
    "line with a colon and an equal sign": _wrong(
        ".env line 1 cannot be read; write it as NAME=value",
        env_file=f"STRANDLINE_SOLANA_RPC_URL:{RPC_URL}\n",
    ),
    "line without an equal sign": _wrong(
        ".env line 1 cannot be read; write it as NAME=value", env_file="STRANDLINE_MODE"
    ),
    "quote left open": _wrong(
        ".env line 4 cannot be read; write it as NAME=value", env_file='\n\n\nSTRANDLINE_MODE="live\n'
    ),
    "value malformed": _wrong(
        f"STRANDLINE_MODE is 'lvie', {_MODE}; did you mean 'live'? (.env line 2)",
        env_file="# how real\nSTRANDLINE_MODE=lvie\n",
    ),
    "value empty": _wrong(
        "STRANDLINE_MODE is empty; remove the line or give a value (.env line 1)", env_file="STRANDLINE_MODE=\n"
    ),
    "name unknown": _wrong(
        "STRANDLINE_HOEM is not a setting; did you mean STRANDLINE_HOME? (.env line 1)", env_file="STRANDLINE_HOEM=/x\n"
    ),
    "the same variable twice": _wrong(
        "STRANDLINE_MODE (.env line 1) and STRANDLINE_MODE (.env line 2) have different values; keep one of them",
        env_file="STRANDLINE_MODE=sim\nSTRANDLINE_MODE=paper\n",
    ),
    "another file in its place": _wrong(
        "STRANDLINE_ENV_FILE cannot name the file that it stands in; set it in the environment (.env line 1)",
        env_file="STRANDLINE_ENV_FILE=live.env\n",
    ),
}


def _leaves(name: str) -> str:
    return f"{name} leaves this machine, which STRANDLINE_MODE sim never does; remove it, or choose another mode"


def _stays(name: str) -> str:
    return f"{name} is on this machine, but STRANDLINE_MODE is live; remove it, or give the venue's own URL"


def _test_network(mode: str) -> str:
    return (
        f"STRANDLINE_HYPERLIQUID_URL is Hyperliquid's test network, but STRANDLINE_MODE is {mode}; "
        "remove it, or set STRANDLINE_MODE to testnet"
    )


def _missing(variable: str, mode: str, venue: str, *, secret: bool = True) -> str:
    file = f", or put the file {variable.lower()} into STRANDLINE_SECRETS_DIR" if secret else ""
    return f"{variable} is missing, but STRANDLINE_MODE is {mode} and STRANDLINE_{venue}_ENABLED is on; set it{file}"


def _no_venue(mode: str) -> str:
    return (
        f"STRANDLINE_MODE is {mode}, but no venue is on; set STRANDLINE_HYPERLIQUID_ENABLED or "
        "STRANDLINE_SOLANA_ENABLED to true, or choose sim or paper"
    )


CONTRADICTORY = {
    "sim, Hyperliquid elsewhere": _wrong(
        _leaves("STRANDLINE_HYPERLIQUID_URL"), STRANDLINE_HYPERLIQUID_URL="https://api.hyperliquid.xyz"
    ),
    "sim, Solana elsewhere": _wrong(_leaves("STRANDLINE_SOLANA_RPC_URL"), STRANDLINE_SOLANA_RPC_URL=RPC_URL),
    "sim, Jupiter elsewhere": _wrong(
        _leaves("STRANDLINE_JUPITER_URL"), STRANDLINE_JUPITER_URL="http://localhost.example.org"
    ),
    "live, Hyperliquid here": _wrong(
        _stays("STRANDLINE_HYPERLIQUID_URL"), **LIVE, STRANDLINE_HYPERLIQUID_URL="http://127.0.0.1:3001"
    ),
    "live, Jupiter here": _wrong(_stays("STRANDLINE_JUPITER_URL"), **LIVE, STRANDLINE_JUPITER_URL="http://[::1]:9/"),
    "live, Solana here": _wrong(
        _stays("STRANDLINE_SOLANA_RPC_URL"), **LIVE, STRANDLINE_SOLANA_RPC_URL="http://localhost:8899"
    ),
    "live on the test network": _wrong(
        _test_network("live"), **LIVE, STRANDLINE_HYPERLIQUID_URL="https://API.hyperliquid-testnet.xyz/"
    ),
    "paper on the test network": _wrong(
        _test_network("paper"),
        STRANDLINE_MODE="paper",
        STRANDLINE_HYPERLIQUID_URL="https://api.hyperliquid-testnet.xyz",
    ),
    "testnet on the main network": _wrong(
        "STRANDLINE_HYPERLIQUID_URL is Hyperliquid's main network, but STRANDLINE_MODE is testnet; remove it",
        **TESTNET,
        STRANDLINE_HYPERLIQUID_URL="https://api.hyperliquid.xyz:443",
    ),
    "testnet with Solana": _wrong(
        "STRANDLINE_SOLANA_ENABLED is on, but STRANDLINE_MODE is testnet, which Jupiter does not have; switch it off",
        **TESTNET,
        STRANDLINE_SOLANA_ENABLED="1",
    ),
    "testnet without venue": _wrong(_no_venue("testnet"), STRANDLINE_MODE="testnet"),
    "live without venue": _wrong(_no_venue("live"), STRANDLINE_MODE="live", STRANDLINE_SOLANA_ENABLED="no"),
    "testnet without address": _wrong(
        _missing("STRANDLINE_HYPERLIQUID_ADDRESS", "testnet", "HYPERLIQUID", secret=False),
        **_without(TESTNET, "STRANDLINE_HYPERLIQUID_ADDRESS"),
    ),
    "live without address, by the seed name": _wrong(
        "STRANDLINE_HYPERLIQUID_ADDRESS is missing, but STRANDLINE_MODE is live "
        "and HYPERLIQUID_EXECUTOR_ENABLED is on; set it",
        STRANDLINE_MODE="live",
        HYPERLIQUID_EXECUTOR_ENABLED="1",
    ),
    "live without Solana's node": _wrong(
        _missing("STRANDLINE_SOLANA_RPC_URL", "live", "SOLANA"),
        STRANDLINE_MODE="live",
        **_without(SOLANA_ON, "STRANDLINE_SOLANA_RPC_URL"),
    ),
    "login without database": _wrong(
        "STRANDLINE_DATABASE_URL_UI is set, but STRANDLINE_DATABASE_URL is not; "
        "set STRANDLINE_DATABASE_URL too, or remove STRANDLINE_DATABASE_URL_UI",
        STRANDLINE_DATABASE_URL_UI="postgresql://ui:pass-word@localhost/strandline",
    ),
    "share of a venue that is off": _wrong(
        "STRANDLINE_SOLANA_INITIAL_VALUE is set, but STRANDLINE_SOLANA_ENABLED is off in STRANDLINE_MODE paper; "
        "remove the one, or switch the other on",
        STRANDLINE_MODE="paper",
        STRANDLINE_SOLANA_ENABLED="off",
        STRANDLINE_SOLANA_INITIAL_VALUE="100",
    ),
    "shares against the sum": _wrong(
        "STRANDLINE_HYPERLIQUID_INITIAL_VALUE and STRANDLINE_SOLANA_INITIAL_VALUE make 9000, "
        "but INITIAL_PORTFOLIO_VALUE is 10000; change one, or leave one out",
        INITIAL_PORTFOLIO_VALUE="10000",
        STRANDLINE_HYPERLIQUID_INITIAL_VALUE="5000",
        STRANDLINE_SOLANA_INITIAL_VALUE="4000",
    ),
    "one share against the sum": _wrong(
        "STRANDLINE_HYPERLIQUID_INITIAL_VALUE makes 5000, "
        "but STRANDLINE_INITIAL_PORTFOLIO_VALUE is 10000; change one, or leave one out",
        STRANDLINE_INITIAL_PORTFOLIO_VALUE="10000",
        STRANDLINE_HYPERLIQUID_INITIAL_VALUE="5000",
        STRANDLINE_SOLANA_ENABLED="false",
    ),
}

SEVERAL = {
    "all at once": _wrong(
        "STRANDLINE_QQQQ is not a setting; remove it, or see `strandline config docs`",
        "MAX_DRAWDOWN_PCT is empty; remove the line or give a value",
        f"STRANDLINE_AIRFLOW_PORT is '0', {_PORT}",
        f"STRANDLINE_MAX_DAILY_LOSS_PCT is '0', {_PERCENT}",
        _leaves("STRANDLINE_JUPITER_URL"),
        STRANDLINE_QQQQ="1",
        MAX_DRAWDOWN_PCT="",
        STRANDLINE_AIRFLOW_PORT="0",
        STRANDLINE_MAX_DAILY_LOSS_PCT="0",
        STRANDLINE_JUPITER_URL="https://api.jup.ag",
    ),
    "nothing that rests on a faulty value": _wrong(
        f"STRANDLINE_MODE is 'lvie', {_MODE}; did you mean 'live'?",
        STRANDLINE_MODE="lvie",
        STRANDLINE_JUPITER_URL="https://api.jup.ag",
    ),
    "a faulty key is not missing": _wrong(
        f"STRANDLINE_HYPERLIQUID_KEY {_HEX_64}",
        **LIVE | {"STRANDLINE_HYPERLIQUID_KEY": "0x12"},
    ),
    "a node is not missing where its file cannot be read": _wrong(
        "STRANDLINE_SECRETS_DIR is '{here}/none', which is not an existing directory; write one such as /run/secrets",
        STRANDLINE_MODE="live",
        **_without(SOLANA_ON, "STRANDLINE_SOLANA_RPC_URL"),
        STRANDLINE_SECRETS_DIR="{here}/none",
    ),
}

WRONG = MALFORMED | UNKNOWN | IN_ENV_FILE | CONTRADICTORY | SEVERAL
