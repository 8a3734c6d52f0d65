"""Describe an endpoint once, so that both clients can call it.

A group of endpoints is a class whose methods only describe: they return a Call. `endpoint` turns
each into a method that hands the Call to its client's `send`, which answers at once in the one and
can be awaited in the other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import wraps
from typing import IO, Any, Concatenate, Generic, ParamSpec, Protocol, TypeAlias, TypeVar, overload
from urllib.parse import quote

T = TypeVar("T")
P = ParamSpec("P")
Mode = TypeVar("Mode")


class Sync:
    """Marks groups whose methods return their answer."""


class Async:
    """Marks groups whose methods return an awaitable of it."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way to storage that is not Lamina's API: streamed, and without the key."""

    url: str
    stream: IO[bytes]
    size: int
    content_type: str


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request to Lamina and how to read its answer."""

    method: str
    path: str
    read: Callable[[Any], T]
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    run_id: str | None = None
    # Seconds to wait for the first byte when the answer takes its time by design.
    patience_seconds: float | None = None
    upload: Upload | None = None

    @property
    def is_read(self) -> bool:
        """Whether asking twice is as good as asking once."""
        return self.method == "GET"


@dataclass(frozen=True, slots=True)
class Pause:
    """A step of a script: wait so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Listen:
    """A step of a script: open an event stream, and from then on answer NextEvent."""

    call: Call[Any]


@dataclass(frozen=True, slots=True)
class NextEvent:
    """A step of a script: the stream's next event, or None when the connection has ended."""


@dataclass(frozen=True, slots=True)
class News(Generic[T]):
    """A step of a script: something for whoever follows it."""

    of: T


# A script says what to do and is told what came of it, so that both clients can follow the same one.
# Errors of a call are thrown into it.
Script: TypeAlias = "Generator[Call[Any] | Pause | Listen | NextEvent | News[T], Any, None]"


class Caller(Protocol):
    """What a group needs of its client."""

    def send(self, call: Call[Any]) -> Any: ...
    def follow(self, script: Script[Any]) -> Any: ...


class Group(Generic[Mode]):
    """A group of endpoints of one client."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller


class Endpoint(Generic[P, T]):
    """A described endpoint: called on a group, it sends."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Call[T]]) -> None:
        self.describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, group: None, owner: type) -> Endpoint[P, T]: ...
    @overload
    def __get__(self, group: Group[Sync], owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, group: Group[Async], owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        if group is None:
            return self

        @wraps(self.describe)
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return group._caller.send(self.describe(group, *args, **kwargs))

        return call


def endpoint(describe: Callable[Concatenate[Any, P], Call[T]]) -> Endpoint[P, T]:
    """Make a method that describes a Call into one that sends it."""
    return Endpoint(describe)


class Followed(Generic[P, T]):
    """A described script: called on a group, it gives an iterator of the script's news."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Script[T]]) -> None:
        self.describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, group: None, owner: type) -> Followed[P, T]: ...
    @overload
    def __get__(self, group: Group[Sync], owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, group: Group[Async], owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        if group is None:
            return self

        @wraps(self.describe)
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return group._caller.follow(self.describe(group, *args, **kwargs))

        return call


def followed(describe: Callable[Concatenate[Any, P], Script[T]]) -> Followed[P, T]:
    """Make a method that describes a script into one that follows it."""
    return Followed(describe)


def path(template: str, **ids: str) -> str:
    """Return a path with its ids escaped, whatever is in them."""
    return template.format(**{name: _escaped(value) for name, value in ids.items()})


def _escaped(value: str) -> str:
    # One or two dots would be taken for a way up.
    return value.replace(".", "%2E") if value in (".", "..") else quote(value, safe="")


def given(**values: Any) -> dict[str, Any]:
    """Return the members that were given, in Lamina's spelling: None and blank ones are left out."""
    return {name: value for name, value in values.items() if value is not None and value != ""}
