"""What every Python program here shares: its rows, and lines of JSON for what it saw."""
import datetime
import decimal
import hashlib
import json
import os
import uuid

client = os.environ["CLIENT"]
customers = [f"{name}-of-{client}" for name in ("Adam", "Kim", "Pia", "Zoe")]
adam, kim, pia, zoe = customers
_tag = hashlib.md5(client.encode()).hexdigest()[:12]

# What libpq is told: SCRAM bound to the channel, and a certificate, which is all that is asked of holder.
bound = "channel_binding=require"
certified = f"user=holder sslcert={os.environ['HOLDER_CERTIFICATE']} sslkey={os.environ['HOLDER_KEY']}"

# Hours of work on every shard, to be cancelled.
long_report = "select sum(length(cust_id) + g) from reservation, generate_series(1, 100000000) g"


def sample_id(number):
    return uuid.UUID(f"00000000-0000-4000-a{number:03}-{_tag}")


sample_row = {
    "small": -7,
    "whole": 42,
    "big": 9007199254740993,
    "exact": decimal.Decimal("12345678901234567890.0123456789"),
    "single": 1.5,
    "twice": 0.1,
    "flag": True,
    "words": "Zoë says \"hi\" \\ 'there' % {} \n",
    "short": "short",
    "fixed": "ab",
    "bytes": bytes([0, 1, 127, 128, 255]),
    "day": datetime.date(2024, 2, 29),
    "clock": datetime.time(23, 59, 59, 123456),
    "moment": datetime.datetime(2024, 2, 29, 12, 34, 56, 789000),
    "instant": datetime.datetime(2024, 2, 29, 12, 34, 56, 789000, datetime.timezone.utc),
    "span": datetime.timedelta(days=1, hours=2, minutes=3, seconds=4),
    "numbers": [1, 2, 3],
    "labels": ["a", "b,c", 'd"e', "", None],
}


def _print(line):
    print(json.dumps(line, default=repr), flush=True)


def tell_version(version):
    _print({"version": version})


def state_of(error):
    """The SQLSTATE that a driver's error carries, or what it wraps."""
    for each in (error, getattr(error, "orig", None), error.__cause__):
        state = getattr(each, "pgcode", None) or getattr(each, "sqlstate", None)
        if state:
            return state
    # ODBC tells it as the first argument.
    return error.args[0] if error.args and len(str(error.args[0])) == 5 else type(error).__name__


def _failed(name, error):
    _print({"name": name, "seen": {"error": state_of(error), "message": str(error)}})


def tell(name):
    """Decorates a function: says what it returns or how it failed; the next things go on."""
    def run(look):
        try:
            _print({"name": name, "seen": look()})
        except Exception as error:
            _failed(name, error)
    return run


async def tell_async(name, look):
    try:
        _print({"name": name, "seen": await look()})
    except Exception as error:
        _failed(name, error)


def failure_of(act):
    """SQLSTATE, constraint and message of a failure that is expected."""
    try:
        act()
        return "no error"
    except Exception as error:
        diag = getattr(error, "diag", None)
        constraint = getattr(diag, "constraint_name", None) or getattr(error, "constraint_name", None)
        return [state_of(error), constraint, str(error)]
