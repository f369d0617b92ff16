"""Queries as people type them: the arguments of `urpo-store query`, in one line.

    http.server.request.duration --agg p95 --by http.route --step 10s --service checkout

An error knows the place in the line that it is about.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import QueryError
from ..model import MetricQuery
from .flags import parse_where, query_from_flags
from .times import parse_duration, parse_time

FLAGS = ("--service", "--where", "--start", "--end", "--step", "--agg", "--by", "--limit")

# A word: quoted parts may hold blanks.
_WORD = re.compile(r"""(?:"[^"]*"|'[^']*'|[^\s"'])+""")


class QueryLineError(QueryError):
    """What is wrong with a line, and where: [begin, end) are places in it."""

    def __init__(self, message: str, begin: int, end: int) -> None:
        super().__init__(message)
        self.begin = begin
        self.end = end


@dataclass
class _Flags:
    """As the command line gives them to `query_from_flags`."""

    metric: str = ""
    service: str | None = None
    where: Sequence[str] = ()
    start: str = "-5m"
    end: str | None = None
    step: str | None = None
    agg: str = "raw"
    by: Sequence[str] | None = None
    limit: int | None = None


@dataclass(frozen=True)
class _Word:
    text: str
    begin: int
    end: int


def _words(line: str) -> list[_Word]:
    words = []
    at = 0
    for found in _WORD.finditer(line):
        _all_blank(line, at, found.start())
        bare = re.sub(r"\"([^\"]*)\"|'([^']*)'", lambda part: part[1] or part[2] or "", found[0])
        words.append(_Word(bare, found.start(), found.end()))
        at = found.end()
    _all_blank(line, at, len(line))
    return words


def _all_blank(line: str, begin: int, end: int) -> None:
    if line[begin:end].strip():
        at = begin + len(line[begin:end]) - len(line[begin:end].lstrip())
        raise QueryLineError("this quote is not closed", at, len(line))


def parse_query_line(line: str) -> MetricQuery:
    """The query that a line asks for; raises QueryLineError."""
    flags = _Flags()
    words = _words(line)
    at: dict[str, _Word] = {}
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if not word.text.startswith("-"):
            if flags.metric:
                raise QueryLineError(
                    f"one metric at a time: {flags.metric!r} is asked for already",
                    word.begin,
                    word.end,
                )
            flags.metric = word.text
            at["metric"] = word
            continue
        name, equals, text = word.text.partition("=")
        if name not in FLAGS:
            raise QueryLineError(
                f"{name!r} is none of: {' '.join(FLAGS)}", word.begin, word.begin + len(name)
            )
        if equals:
            value = _Word(text, word.begin + len(name) + 1, word.end)
        elif index < len(words):
            value = words[index]
            index += 1
        else:
            raise QueryLineError(f"{name} needs a value", word.begin, word.end)
        at[name] = value
        _set(flags, name, value)
    if not flags.metric:
        raise QueryLineError("the name of a metric is missing", len(line), len(line) + 1)
    try:
        return query_from_flags(flags)
    except QueryError as error:
        place = _guilty(str(error), at)
        raise QueryLineError(str(error), place.begin, place.end) from None


def _set(flags: _Flags, name: str, value: _Word) -> None:
    key = name.removeprefix("--")
    if key == "where":
        try:
            parse_where(value.text)
        except QueryError as error:
            raise QueryLineError(str(error), value.begin, value.end) from None
        flags.where = [*flags.where, value.text]
    elif key == "by":
        flags.by = [*(flags.by or ()), value.text]
    elif key in ("step", "start", "end"):
        try:
            if key == "step":
                parse_duration(value.text)
            elif not value.text.isdigit():
                parse_time(value.text, time.time_ns(), key)
        except QueryError as error:
            raise QueryLineError(str(error), value.begin, value.end) from None
        setattr(flags, key, value.text)
    elif key == "limit":
        if not value.text.isdigit():
            raise QueryLineError(f"{value.text!r} is no number", value.begin, value.end)
        flags.limit = int(value.text)
    else:
        setattr(flags, key, value.text)


def _guilty(message: str, at: dict[str, _Word]) -> _Word:
    """The word that a message speaks of: it quotes the value."""
    for name, word in at.items():
        if name != "metric" and word.text in message:
            return word
    return at["metric"]
