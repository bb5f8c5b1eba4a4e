"""Descriptors that make methods of both clients from one conversation, with one signature."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, Self, overload

from gridloom.client.drivers import AsyncDriver, Driver
from gridloom.client.steps import T, Talk

P = ParamSpec("P")


class Operation(Generic[P, T]):
    """A method that returns a conversation's outcome; with asyncio it is to be awaited."""

    def __init__(self, talk: Callable[P, Talk[T]]) -> None:
        self.talk = talk
        self.__doc__ = talk.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Driver, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncDriver, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Driver | AsyncDriver | None, owner: type) -> Any:
        if client is None:
            return self

        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.run(self.talk(*args, **kwargs))

        return update_wrapper(method, self.talk)


class Feed(Generic[P, T]):
    """A method that yields a conversation's items; `Item` says nothing of their type, so `of` names it."""

    def __init__(self, talk: Callable[P, Talk[None]], of: type[T]) -> None:
        self.talk, self.of = talk, of
        self.__doc__ = talk.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Driver, owner: type) -> Callable[P, Generator[T, None, None]]: ...
    @overload
    def __get__(self, client: AsyncDriver, owner: type) -> Callable[P, AsyncGenerator[T, None]]: ...
    def __get__(self, client: Driver | AsyncDriver | None, owner: type) -> Any:
        if client is None:
            return self

        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.items(self.talk(*args, **kwargs))

        return update_wrapper(method, self.talk)
