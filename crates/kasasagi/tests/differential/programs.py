"""Small programs in asyncio, each of which leaves a trace; their twins are beside this file.

Time stands still until nothing can run, and then goes to the next timer: traces depend on no clock.
Prints `= name` and the trace of each program that is named, or of all.
"""

import asyncio
import contextvars
import selectors
import sys


class Still(selectors.DefaultSelector):
    """A selector that waits for nothing but moves the time."""

    def select(self, timeout=None):
        events = super().select(0)
        if not events:
            if timeout is None:
                raise RuntimeError("nothing will ever happen")
            self.now += timeout
        return events


def loop():
    still = Still()
    still.now = 0.0
    made = asyncio.SelectorEventLoop(still)
    made.time = lambda: still.now
    made.set_exception_handler(lambda loop, context: None)
    return made


def say(*words):
    print(*words)


def now():
    return round(asyncio.get_running_loop().time() * 1000)


async def nap(millis):
    await asyncio.sleep(millis / 1000)


async def turn():
    await asyncio.sleep(0)


spawn = asyncio.create_task
PROGRAMS = []


def program(f):
    PROGRAMS.append(f)
    return f


async def named_nap(name, millis):
    await nap(millis)
    say(name, "ends at", now())
    return name


async def fails_after(name, millis):
    await nap(millis)
    raise ValueError(name)


# Tasks


@program
async def spawn_order():
    async def child(name):
        say(name, "begins")
        await turn()
        say(name, "ends")

    tasks = [spawn(child(name)) for name in "abc"]
    say("spawned")
    for task in tasks:
        await task


@program
async def lazy_start():
    async def child():
        say("child")

    task = spawn(child())
    say("A")
    await turn()
    say("B")
    await task


@program
async def taking_turns():
    async def child(name):
        for step in range(3):
            say(name, step)
            await turn()

    a, b = spawn(child("a")), spawn(child("b"))
    await a
    await b


@program
async def names():
    async def child():
        say("inside", asyncio.current_task().get_name())

    task = spawn(child(), name="heron")
    say(task.get_name())
    await task
    task.set_name("egret")
    say(task.get_name(), task.done())


@program
async def errors_pass_through():
    task = spawn(fails_after("spam", 5))
    try:
        await task
    except ValueError as error:
        say("caught", error, "at", now())
    say(task.done(), task.cancelled())


# Combinators


@program
async def gather_order():
    naps = [named_nap("slow", 30), named_nap("fast", 10), named_nap("middle", 20)]
    say(*await asyncio.gather(*naps))


@program
async def gather_first_error():
    last = spawn(named_nap("survivor", 30))
    try:
        await asyncio.gather(named_nap("early", 5), fails_after("broken", 10), last)
    except ValueError as error:
        say("error", error, "at", now())
    say(await last)


@program
async def gather_all_outcomes():
    async def cancelled():
        asyncio.current_task().cancel()
        await nap(1)

    outcomes = await asyncio.gather(
        named_nap("fine", 10), fails_after("broken", 5), cancelled(), return_exceptions=True
    )
    for outcome in outcomes:
        if isinstance(outcome, asyncio.CancelledError):
            say("cancelled")
        elif isinstance(outcome, ValueError):
            say("error", outcome)
        else:
            say("value", outcome)


@program
async def gather_cancelled():
    async def child(name):
        try:
            await nap(1000)
        except asyncio.CancelledError:
            say(name, "is cancelled")
            raise

    async def all_of_them():
        await asyncio.gather(child("a"), child("b"))
        say("not reached")

    task = spawn(all_of_them())
    await nap(5)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        say("cancelled at", now())


@program
async def gather_nothing():
    say(len(await asyncio.gather()))


@program
async def wait_first_completed():
    tasks = [spawn(named_nap("slow", 50)), spawn(named_nap("fast", 10))]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    say(len(done), len(pending), "at", now())
    say(done.pop().result())
    say(await pending.pop())


@program
async def wait_first_exception():
    async def panics():
        await nap(20)
        raise RuntimeError("boom")

    tasks = [spawn(named_nap("slow", 50)), spawn(named_nap("fast", 10)), spawn(panics())]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    say(len(done), len(pending), "at", now())
    say(await pending.pop())


@program
async def wait_all():
    tasks = [spawn(named_nap("slow", 50)), spawn(named_nap("fast", 10))]
    done, pending = await asyncio.wait(tasks)
    say(len(done), len(pending), "at", now())


@program
async def wait_timeout():
    tasks = [spawn(named_nap("slow", 50)), spawn(named_nap("fast", 10))]
    done, pending = await asyncio.wait(tasks, timeout=0.02)
    say(len(done), len(pending), "at", now())
    rest = pending.pop()
    say(rest.cancelled(), rest.done())
    say(await rest)


@program
async def first_of_several():
    async def backend(name, millis):
        try:
            return await named_nap(name, millis)
        except asyncio.CancelledError:
            say(name, "is cancelled")
            raise

    tasks = [spawn(backend("a", 30)), spawn(backend("b", 10)), spawn(backend("c", 20))]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    winner = done.pop().result()
    for task in tasks:
        if not task.done():
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass
    say(winner, "wins at", now())


@program
async def as_completed_order():
    naps = [named_nap("c", 30), named_nap("a", 10), named_nap("b", 20)]
    for end in asyncio.as_completed(naps):
        say("got", await end)


@program
async def as_completed_with_error():
    for end in asyncio.as_completed([named_nap("b", 20), fails_after("broken", 10)]):
        try:
            say("got", await end)
        except ValueError as error:
            say("error", error)


# Cancellation


@program
async def cancel_sleeping():
    task = spawn(named_nap("never", 10_000))
    await nap(5)
    say(task.cancel(), task.done())
    try:
        await task
    except asyncio.CancelledError:
        say("cancelled at", now(), task.cancelled(), task.cancel())


@program
async def cancel_before_start():
    async def child():
        say("not reached")

    task = spawn(child())
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        say("cancelled")


@program
async def cancel_with_cleanup():
    async def child():
        try:
            await nap(1000)
        except asyncio.CancelledError:
            say("cleaning up")
            await nap(10)
            say("clean")
            raise

    task = spawn(child())
    await nap(5)
    task.cancel()
    say(task.done())
    try:
        await task
    except asyncio.CancelledError:
        say("cancelled at", now())


@program
async def cancel_swallowed():
    async def child():
        try:
            await nap(1000)
        except asyncio.CancelledError:
            say("no")
        await nap(10)
        return 42

    task = spawn(child())
    await nap(5)
    task.cancel()
    say(await task, task.cancelled(), "at", now())


@program
async def cancel_nested():
    async def child():
        try:
            try:
                await nap(1000)
            except asyncio.CancelledError:
                say("inner")
                await turn()
                raise
        except asyncio.CancelledError:
            say("outer")
            await turn()
            raise

    task = spawn(child())
    await nap(5)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        say("cancelled")


@program
async def cancel_again_while_cleaning_up():
    async def child():
        try:
            await nap(1000)
        except asyncio.CancelledError:
            say("first")
            try:
                await nap(1000)
            except asyncio.CancelledError:
                say("second", asyncio.current_task().cancelling())
                raise

    task = spawn(child())
    for _ in range(2):
        await nap(5)
        task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        say("cancelled at", now())


@program
async def cancel_an_awaited_task():
    async def inner():
        try:
            await nap(1000)
        except asyncio.CancelledError:
            say("inner")
            raise

    async def outer():
        task = spawn(inner())
        try:
            await task
        except asyncio.CancelledError:
            say("outer", task.cancelled())
            raise

    task = spawn(outer())
    await nap(5)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        say("cancelled")


@program
async def cancel_oneself():
    async def child():
        asyncio.current_task().cancel()
        say("still here")
        await nap(1000)
        say("not reached")

    try:
        await spawn(child())
    except asyncio.CancelledError:
        say("cancelled at", now())


@program
async def uncancel():
    async def child():
        me = asyncio.current_task()
        try:
            await nap(1000)
        except asyncio.CancelledError:
            say("cancelling", me.cancelling())
            say("uncancel", me.uncancel())
        await nap(10)
        say("goes on", me.cancelling())
        return 7

    task = spawn(child())
    await nap(5)
    task.cancel()
    task.cancel()
    say(task.cancelling())
    say(await task, task.cancelled())


@program
async def finally_order():
    async def child(fails):
        try:
            try:
                await nap(5)
                if fails:
                    raise ValueError("spam")
                return "value"
            finally:
                await nap(5)
                say("inner at", now())
        finally:
            await nap(5)
            say("outer at", now())

    say(await child(False))
    try:
        await child(True)
    except ValueError as error:
        say("error", error)
    task = spawn(child(False))
    await nap(1)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        say("cancelled at", now())


@program
async def resource():
    class Door:
        async def __aenter__(self):
            await nap(1)
            say("opened")
            return self

        async def __aexit__(self, kind, error, trace):
            await nap(1)
            say("closed", "well" if kind is None else "cancelled" if kind is asyncio.CancelledError else error)

    async with Door():
        say("inside")
    try:
        async with Door():
            raise ValueError("spam")
    except ValueError as error:
        say("error", error)

    async def child():
        async with Door():
            await nap(1000)

    task = spawn(child())
    await nap(5)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        say("cancelled at", now())


# Groups


@program
async def group_values():
    async with asyncio.TaskGroup() as tg:
        a = tg.create_task(named_nap("a", 20))
        b = tg.create_task(named_nap("b", 10))
        say("body")
    say(a.result(), b.result(), "at", now())


@program
async def group_abort():
    async def sibling(name):
        try:
            await nap(1000)
        except asyncio.CancelledError:
            say(name, "is cancelled")
            raise

    try:
        async with asyncio.TaskGroup() as tg:
            tg.create_task(sibling("a"))
            tg.create_task(fails_after("broken", 10))
            tg.create_task(sibling("b"))
            try:
                await nap(1000)
            except asyncio.CancelledError:
                say("the body is cancelled")
                raise
    except* ValueError as group:
        say(len(group.exceptions), group.exceptions[0], "at", now())
    say("cancelling", asyncio.current_task().cancelling())


@program
async def group_body_error():
    async def sibling():
        try:
            await nap(1000)
        except asyncio.CancelledError:
            say("the child is cancelled")
            await nap(10)
            say("the child is clean")
            raise

    try:
        async with asyncio.TaskGroup() as tg:
            tg.create_task(sibling())
            await nap(5)
            raise ValueError("body")
    except* ValueError as group:
        say(*group.exceptions, "at", now())


@program
async def group_all_errors():
    try:
        async with asyncio.TaskGroup() as tg:

            async def bad_cleanup():
                try:
                    await nap(1000)
                except asyncio.CancelledError:
                    await nap(5)
                    raise ValueError("second")

            tg.create_task(bad_cleanup())
            tg.create_task(fails_after("first", 10))
    except* ValueError as group:
        say(*group.exceptions, "at", now())


@program
async def group_cancelled_child():
    async with asyncio.TaskGroup() as tg:
        a = tg.create_task(nap(1000))
        tg.create_task(named_nap("b", 10))
        await nap(5)
        a.cancel()
    say("fine at", now(), a.cancelled())


@program
async def group_cancelled():
    async def child(name):
        try:
            await nap(1000)
        except asyncio.CancelledError:
            say(name, "is cancelled")
            raise

    async def body():
        async with asyncio.TaskGroup() as tg:
            tg.create_task(child("a"))
            tg.create_task(child("b"))
        say("not reached")

    task = spawn(body())
    await nap(5)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        say("cancelled at", now())


@program
async def group_nested():
    async def inner():
        async with asyncio.TaskGroup() as tg:
            tg.create_task(fails_after("deep", 10))

    try:
        async with asyncio.TaskGroup() as tg:
            tg.create_task(inner())
            tg.create_task(nap(1000))
    except* ValueError as group:
        say(type(group.exceptions[0]).__name__ == "ExceptionGroup", len(group.exceptions))
        say(group.exceptions[0].exceptions[0], "at", now())


@program
async def group_spawns_late():
    async with asyncio.TaskGroup() as tg:

        async def child():
            await nap(10)
            tg.create_task(named_nap("grandchild", 10))

        tg.create_task(child())
    say("over at", now())


# Limits


@program
async def timeout_expires():
    try:
        async with asyncio.timeout(0.01):
            try:
                await nap(1000)
            except asyncio.CancelledError:
                say("interrupted")
                raise
    except TimeoutError:
        say("expired at", now(), asyncio.current_task().cancelling())
    await nap(5)
    say("goes on at", now())


@program
async def timeout_in_time():
    async with asyncio.timeout(0.05) as limit:
        say(await named_nap("fast", 10))
    say(limit.expired())
    await nap(100)
    say("at", now())


@program
async def timeout_outer_first():
    try:
        async with asyncio.timeout(0.01):
            try:
                async with asyncio.timeout(0.05):
                    await nap(1000)
            except TimeoutError:
                say("not the inner one")
    except TimeoutError:
        say("outer at", now())


@program
async def timeout_inner_first():
    try:
        async with asyncio.timeout(0.05):
            try:
                async with asyncio.timeout(0.01):
                    await nap(1000)
            except TimeoutError:
                say("inner at", now())
            await nap(1000)
    except TimeoutError:
        say("outer at", now())


@program
async def timeout_rescheduled():
    try:
        async with asyncio.timeout(0.01) as limit:
            limit.reschedule(asyncio.get_running_loop().time() + 0.03)
            await nap(1000)
    except TimeoutError:
        say("expired at", now())


@program
async def timeout_swallowed():
    try:
        async with asyncio.timeout(0.01) as limit:
            try:
                await nap(1000)
            except asyncio.CancelledError:
                say("no")
    except TimeoutError:
        say("not reached")
    say(limit.expired(), asyncio.current_task().cancelling())


@program
async def timeout_and_request():
    async def child():
        try:
            async with asyncio.timeout(1):
                await nap(1000_000)
        except TimeoutError:
            say("not an expiry")

    task = spawn(child())
    await nap(5)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        say("cancelled at", now())


@program
async def wait_for_a_slow_cleanup():
    async def slow():
        try:
            await nap(1000)
        except asyncio.CancelledError:
            await nap(20)
            say("clean at", now())
            raise

    task = spawn(slow())
    try:
        await asyncio.wait_for(task, 0.01)
    except TimeoutError:
        say("expired at", now(), task.cancelled())


@program
async def shield_outer_cancelled():
    inner = spawn(named_nap("inner", 20))

    async def outer():
        try:
            await asyncio.shield(inner)
        except asyncio.CancelledError:
            say("outer is cancelled at", now())
            raise

    task = spawn(outer())
    await nap(5)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        say(inner.done())
    say(await inner)


@program
async def shield_and_timeout():
    inner = spawn(named_nap("inner", 20))
    try:
        await asyncio.wait_for(asyncio.shield(inner), 0.01)
    except TimeoutError:
        say("expired at", now())
    say(await inner)


# Callbacks and variables


@program
async def call_soon_order():
    running = asyncio.get_running_loop()
    for number in range(5):
        running.call_soon(say, "call", number)
    say("asked for")
    await nap(1)
    say("over")


@program
async def call_later_order():
    running = asyncio.get_running_loop()
    handles = [running.call_later(millis / 1000, say, "after", millis) for millis in (30, 10, 20)]
    handles[2].cancel()
    await nap(50)
    say("over at", now(), handles[2].cancelled())


@program
async def call_soon_inside():
    running = asyncio.get_running_loop()

    def first():
        say("first")
        running.call_soon(say, "third")
        say("second")

    running.call_soon(first)
    await nap(1)


@program
async def future_callbacks():
    future = asyncio.get_running_loop().create_future()
    for number in range(3):
        future.add_done_callback(lambda done, number=number: say("callback", number, done.result()))
    future.set_result(42)
    say("set")
    await nap(1)
    say(await future, future.done())


@program
async def future_set_later():
    running = asyncio.get_running_loop()
    future = running.create_future()
    running.call_later(0.01, future.set_result, "done")
    say(await future, "at", now())


@program
async def future_cancelled():
    future = asyncio.get_running_loop().create_future()
    say(future.cancel(), future.cancelled(), future.cancel())
    try:
        future.set_result(1)
    except asyncio.InvalidStateError:
        say("too late")


NUMBER = contextvars.ContextVar("number", default=0)


@program
async def variables_of_children():
    async def child():
        say("child sees", NUMBER.get())
        NUMBER.set(3)
        await turn()
        say("child has", NUMBER.get())

    NUMBER.set(1)
    task = spawn(child())
    NUMBER.set(2)
    await task
    say("parent has", NUMBER.get())


@program
async def variables_of_callbacks():
    running = asyncio.get_running_loop()
    NUMBER.set(1)

    def call():
        say("callback sees", NUMBER.get())
        NUMBER.set(5)

    running.call_soon(call)
    NUMBER.set(2)
    await nap(1)
    say(NUMBER.get())


@program
async def variables_reset():
    token = NUMBER.set(1)
    say(NUMBER.get())
    NUMBER.reset(token)
    say(NUMBER.get())


# Streams


@program
async def generator():
    async def counter(to):
        for number in range(1, to + 1):
            await nap(10)
            yield number

    async for number in counter(3):
        say(number, "at", now())


@program
async def generator_broken_off():
    async def counter():
        try:
            number = 0
            while True:
                await nap(10)
                yield number
                number += 1
        finally:
            say("closed")

    numbers = counter()
    async for number in numbers:
        say(number)
        if number == 2:
            break
    await numbers.aclose()
    say("over at", now())


def main():
    wanted = sys.argv[1:]
    for one in PROGRAMS:
        if not wanted or one.__name__ in wanted:
            say("=", one.__name__)
            with asyncio.Runner(loop_factory=loop) as runner:
                runner.run(one())


if __name__ == "__main__":
    main()
