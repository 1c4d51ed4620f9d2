"""Who is told of what, and who is not even woken."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from balsam.core.notices import Notice
from balsam.schemas.accounts import AccountId
from balsam.server.notices import Board

ALICE, BOB = AccountId(1), AccountId(2)
HERE, THERE = 10, 11


def on_board(work: Callable[[Board], Awaitable[None]]) -> None:
    """Do something with a board, in an event loop of its own."""

    async def run() -> None:
        await asyncio.wait_for(work(Board(asyncio.get_running_loop())), timeout=60)

    asyncio.run(run())


async def settle() -> None:
    """Let everything that is ready run."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_only_those_concerned_are_woken():
    async def work(board: Board) -> None:
        last = board.last
        hers = asyncio.create_task(board.wait(ALICE, last, 60))
        his = asyncio.create_task(board.wait(BOB, last, 60))
        await settle()
        her_event = board._changed[ALICE]
        board.put([(Notice("work", HERE), BOB), (Notice("lost 7", HERE), BOB)])
        assert await his == ["work", "lost 7"]
        assert board._changed[ALICE] is her_event and not her_event.is_set() and not hers.done()
        board.put([(Notice("end", THERE), ALICE)])
        assert await hers == ["end"]

    on_board(work)


def test_login_for_one_site_is_told_of_that_alone():
    async def work(board: Board) -> None:
        last, limited = board.last, AccountId.at_site(ALICE, HERE)
        board.put([(Notice("work", THERE), ALICE), (Notice("end", HERE), ALICE)])
        await settle()
        assert await board.wait(limited, last, 0) == ["end"]
        assert await board.wait(ALICE, last, 0) == ["work", "end"]
        assert await board.wait(BOB, last, 0) == []

    on_board(work)


@pytest.mark.parametrize("caller", [ALICE, AccountId.at_site(BOB, THERE)])
def test_all_are_told_when_something_may_have_been_missed(caller: AccountId):
    async def work(board: Board) -> None:
        waiting = asyncio.create_task(board.wait(caller, board.last, 60))
        await settle()
        board.put_anything()
        assert sorted(await waiting) == ["batch", "end", "transfers", "work"]
        assert await board.wait(caller, board.last, 0) == []
        assert sorted(await board.wait(caller, 1, 60)) == ["batch", "end", "transfers", "work"], (
            "long forgotten"
        )

    on_board(work)


def test_all_are_let_go_when_the_server_ends():
    async def work(board: Board) -> None:
        waiting = [asyncio.create_task(board.wait(who, board.last, 60)) for who in (ALICE, BOB)]
        await settle()
        board.close()
        assert await asyncio.gather(*waiting) == [[], []]
        assert await board.wait(ALICE, board.last, 60) == []

    on_board(work)
