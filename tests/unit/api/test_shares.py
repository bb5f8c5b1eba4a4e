"""No account takes what others need: streams are counted, long calls wait for their turn."""

import asyncio
from contextlib import aclosing

import pytest

from api.shares import StreamRoom, Turns
from gridloom.errors import TooMany, Unavailable


async def forever():
    while True:
        yield b"."
        await asyncio.sleep(0)


def test_an_account_opens_so_many_streams_and_others_still_can():
    async def scenario():
        room = StreamRoom(most=3, most_each=2)
        async with (
            aclosing(room.counted("ada", forever())) as one,
            aclosing(room.counted("ada", forever())) as two,
        ):
            assert [await anext(one), await anext(two)] == [b".", b"."]
            with pytest.raises(TooMany, match="2 streams"):
                room.check("ada")
            room.check("bob")
            async with aclosing(room.counted("bob", forever())) as three:
                await anext(three)
                with pytest.raises(Unavailable):
                    room.check("cleo")
        room.check("ada")

    asyncio.run(scenario())


def test_a_stream_that_fails_makes_room():
    async def broken():
        yield b"."
        raise OSError("broken")

    async def scenario():
        room = StreamRoom(most=1, most_each=1)
        with pytest.raises(OSError, match="broken"):
            async for _ in room.counted("ada", broken()):
                pass
        room.check("ada")

    asyncio.run(scenario())


def test_an_accounts_long_calls_wait_for_each_other_and_for_nobody_else():
    async def scenario():
        turns, running, most = Turns(at_once=2), {"ada": 0, "bob": 0}, {"ada": 0, "bob": 0}

        async def call(account):
            async with turns.taken(account):
                running[account] += 1
                most[account] = max(most[account], running[account])
                await asyncio.sleep(0.01)
                running[account] -= 1

        await asyncio.gather(*(call("ada") for _ in range(7)), call("bob"))
        assert most == {"ada": 2, "bob": 1}
        assert turns._turns == {}

    asyncio.run(scenario())


def test_who_leaves_while_waiting_takes_no_turn():
    async def scenario():
        turns = Turns(at_once=1)

        async def wait():
            async with turns.taken("ada"):
                pass

        async with turns.taken("ada"):
            waiting = asyncio.create_task(wait())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
        await asyncio.wait_for(wait(), 1)
        assert turns._turns == {}

    asyncio.run(scenario())


def test_chunks_are_made_in_turn_and_all_of_them_come():
    async def scenario():
        return [it async for it in Turns(at_once=1).each("ada", iter([b"a", b"b"]))]

    assert asyncio.run(scenario()) == [b"a", b"b"]
