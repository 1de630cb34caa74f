"""`calculator`: exact decimal arithmetic, parsed by hand; nothing is ever evaluated as code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    localcontext,
)

from pydantic import BaseModel, Field

from providers.engine.tools.hosted import HostedTool, ToolFailed, typed

MOST_CHARACTERS = 400
_DIGITS = 50
_MOST_POWER = 1_000
_MOST_DEPTH = 40
_TOKEN = re.compile(
    r"\s*(?:(\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|(\*\*|//|[-+*/%^(),])|(\w+))"
)
_CONTEXT = Context(
    prec=_DIGITS, Emax=9_999, Emin=-9_999, traps=[DivisionByZero, InvalidOperation, Overflow]
)


class Sum(BaseModel):
    expression: str = Field(
        max_length=MOST_CHARACTERS,
        description=(
            "Arithmetic such as (3.5 + 2) * 12 ** 2. Operators + - * / // % ** and parentheses; "
            "functions abs, ceil, floor, ln, log10, max, min, round(x, digits), sqrt; pi and e."
        ),
    )


def calculator() -> HostedTool:
    return typed(
        Sum,
        _run,
        name="calculator",
        description="Compute an arithmetic expression exactly, in decimals of 50 digits.",
    )


async def _run(asked: Sum) -> str:
    return evaluate(asked.expression)


def evaluate(expression: str) -> str:
    """Write the value without exponent where that is short. Raises ToolFailed."""
    with localcontext(_CONTEXT):
        try:
            value = _Parser(expression).whole()
        except DivisionByZero:
            raise ToolFailed("Division by zero.") from None
        except Overflow:
            raise ToolFailed("The result is too large.") from None
        except InvalidOperation:
            raise ToolFailed("That is not defined, or it has too many digits.") from None
        plain = value.normalize()
        return f"{plain:f}" if -_DIGITS < plain.adjusted() <= _DIGITS else str(plain)


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    if abs(exponent) > _MOST_POWER:
        raise ToolFailed(f"Exponents go up to {_MOST_POWER:,}.")
    return base**exponent


def _rounded(value: Decimal, digits: Decimal = Decimal(0)) -> Decimal:
    """Half away from zero, as people round; Python's own would round to even."""
    if digits != digits.to_integral_value() or not 0 <= digits <= _DIGITS // 2:
        raise ToolFailed(f"round takes 0 to {_DIGITS // 2} digits.")
    return value.quantize(Decimal(1).scaleb(-int(digits)), ROUND_HALF_UP)


def _ceiling(value: Decimal) -> Decimal:
    return value.to_integral_value(ROUND_CEILING)


def _floor(value: Decimal) -> Decimal:
    return value.to_integral_value(ROUND_FLOOR)


def _most(*values: Decimal) -> Decimal:
    return max(values)


def _least(*values: Decimal) -> Decimal:
    return min(values)


_FUNCTIONS: dict[str, Callable[..., Decimal]] = {
    "abs": Decimal.__abs__,
    "ceil": _ceiling,
    "floor": _floor,
    "ln": Decimal.ln,
    "log10": Decimal.log10,
    "max": _most,
    "min": _least,
    "round": _rounded,
    "sqrt": Decimal.sqrt,
}
_CONSTANTS = {
    "pi": Decimal("3.1415926535897932384626433832795028841971693993751"),
    "e": Decimal("2.7182818284590452353602874713526624977572470936999"),
}


def _tokens(expression: str) -> Iterator[str]:
    place = 0
    text = expression.rstrip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise ToolFailed(f"Character {place + 1} is not understood.")
        place = found.end()
        yield found.group().strip()
    yield ""


class _Parser:
    """Sums, products, signs, powers, in this order of binding; `^` is taken as `**`."""

    def __init__(self, expression: str) -> None:
        self._rest = _tokens(expression)
        self._next = next(self._rest)
        self._depth = 0

    def whole(self) -> Decimal:
        value = self._sum()
        if self._next:
            raise ToolFailed(f"Did not expect {self._next!r}.")
        return value

    def _take(self, *wanted: str) -> str | None:
        taken = self._next
        if not taken or taken not in wanted:
            return None
        self._next = next(self._rest)
        return taken

    def _must(self, wanted: str) -> None:
        if self._take(wanted) is None:
            raise ToolFailed(f"A {wanted!r} is missing.")

    def _sum(self) -> Decimal:
        value = self._product()
        while operator := self._take("+", "-"):
            other = self._product()
            value = value + other if operator == "+" else value - other
        return value

    def _product(self) -> Decimal:
        value = self._signed()
        while operator := self._take("*", "/", "//", "%"):
            other = self._signed()
            match operator:
                case "*":
                    value *= other
                case "/":
                    value /= other
                case _:
                    whole = (value / other).to_integral_value(ROUND_FLOOR)
                    value = whole if operator == "//" else value - whole * other
        return value

    def _signed(self) -> Decimal:
        self._deeper()
        sign = self._take("+", "-")
        value = self._signed() if sign else self._powered()
        self._depth -= 1
        return -value if sign == "-" else value

    def _powered(self) -> Decimal:
        base = self._atom()
        return _power(base, self._signed()) if self._take("**", "^") else base

    def _atom(self) -> Decimal:
        token = self._next
        if token[:1].isdigit() or token[:1] == ".":
            self._next = next(self._rest)
            return _number(token)
        if token.isidentifier():
            self._next = next(self._rest)
            return self._named(token)
        if self._take("(") is None:
            raise ToolFailed(f"Did not expect {token!r}." if token else "Its end is missing.")
        value = self._sum()
        self._must(")")
        return value

    def _named(self, name: str) -> Decimal:
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        function = _FUNCTIONS.get(name)
        if function is None:
            raise ToolFailed(f"There is no function {name!r}. Known: {', '.join(_FUNCTIONS)}.")
        self._must("(")
        values = [self._sum()]
        while self._take(","):
            values.append(self._sum())
        self._must(")")
        try:
            return function(*values)
        except TypeError:
            raise ToolFailed(f"{name} does not take {len(values)} values.") from None

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise ToolFailed("It is nested too deeply.")


def _number(token: str) -> Decimal:
    value = Decimal(token.replace("_", ""))
    if len(value.as_tuple().digits) > _DIGITS:
        raise ToolFailed(f"Numbers have up to {_DIGITS} digits.")
    return value
