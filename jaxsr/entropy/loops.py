"""Loops whose length is known only at run time, made to batch well and to run fast on a CPU."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap
from jax.experimental.xla_metadata import set_xla_metadata

Tree = Any


def in_turn(function: Callable) -> Callable:
    """Wrap ``function`` so that ``vmap`` on a CPU runs one element of the batch after another.

    On a CPU many loops side by side are no faster than one compiled in one piece, and apart each
    ends with its own rows. On other devices ``vmap`` stays as it is.
    """
    run = custom_vmap(function)

    @run.def_vmap
    def batched(size, is_batched, *args):
        leaves, tree = jax.tree.flatten(args)
        moving = jax.tree.leaves(is_batched)
        fixed = [x for x, on in zip(leaves, moving, strict=True) if not on]
        batch = [x for x, on in zip(leaves, moving, strict=True) if on]

        def call(batch, fixed):
            batch, fixed = iter(batch), iter(fixed)
            return function(*tree.unflatten([next(batch if on else fixed) for on in moving]))

        out = lax.platform_dependent(
            batch,
            fixed,
            cpu=lambda batch, fixed: lax.map(lambda element: call(element, fixed), batch),
            default=jax.vmap(call, (0, None)),
        )
        return out, jax.tree.map(lambda _: True, out)

    return run


def scan_rows(
    body: Callable,
    trips: Any,
    carry: Tree,
    rows: Tree,
    shared: Tree = (),
    *,
    reverse: bool = False,
    scatters: bool = False,
) -> tuple[Tree, Tree]:
    """Run ``lax.scan`` over the first ``trips`` rows only; stacked outputs are zero beyond them.

    Under ``vmap`` (but see :func:`in_turn`) every element of the batch runs for the largest
    ``trips``, so ``body`` must do nothing once its own rows are over. (``vmap`` of a plain loop
    would copy the whole carry, stacked rows included, in every trip.)

    Args:
      body: ``body(t, carry, row, shared) → carry, output row``; closes over no arrays.
      trips: the number of rows, an int32 scalar.
      carry: the first carry.
      rows: arrays whose first axis is ``t``; () for none.
      shared: arrays that every row sees.
      reverse: True to run from row ``trips − 1`` down to 0.
      scatters: True if ``body`` scatters, which keeps it from being compiled in one piece.

    Returns:
      The last carry, and the output rows.
    """

    # traced once, however often it is called: to know its shapes, and for every platform
    body = jax.jit(body, inline=True)

    @functools.partial(jax.jit, inline=True)
    def loop(trips, carry, rows, shared):
        row = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), rows)
        length = max((len(x) for x in jax.tree.leaves(rows)), default=0)
        out = jax.eval_shape(body, jnp.int32(0), carry, row, shared)[1]
        out = jax.tree.map(lambda x: jnp.zeros((length, *x.shape), x.dtype), out)

        def trip(i, state):
            carry, out = state
            t = trips - 1 - i if reverse else i
            row = jax.tree.map(lambda x: lax.dynamic_index_in_dim(x, t, keepdims=False), rows)
            carry, new = body(t, carry, row, shared)
            put = lambda x, y: lax.dynamic_update_index_in_dim(x, y, t, 0)  # noqa: E731
            return carry, jax.tree.map(put, out, new)

        return lax.fori_loop(jnp.int32(0), trips, trip, (carry, out))

    run = custom_vmap(loop if scatters else functools.partial(one_kernel, loop))

    @run.def_vmap
    def batched(size, is_batched, trips, carry, rows, shared):
        on_trips, on_carry, on_rows, on_shared = is_batched
        spread = lambda x, on: x if on else jnp.broadcast_to(x, (size, *x.shape))  # noqa: E731
        axis = lambda tree, where: jax.tree.map(lambda on: where if on else None, tree)  # noqa: E731
        rows = jax.tree.map(lambda x, on: jnp.moveaxis(x, 0, 1) if on else x, rows, on_rows)
        carry, out = scan_rows(
            jax.vmap(body, (None, 0, axis(on_rows, 0), axis(on_shared, 0))),
            jnp.max(trips) if on_trips else trips,
            jax.tree.map(spread, carry, on_carry),
            rows,
            shared,
            reverse=reverse,
            scatters=scatters,
        )
        out = jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0), out)
        return (carry, out), jax.tree.map(lambda _: True, (carry, out))

    return run(trips, carry, rows, shared)


def one_kernel(function: Callable, *args: Tree) -> Tree:
    """Call ``function(*args)`` and ask XLA's CPU compiler to compile it in one piece.

    By default each fused operation in a loop's body is a kernel of its own, scheduled again in
    every trip: about 3 µs for what takes 0.1 µs to compute. The compiler compiles loops that touch
    less than 1 KiB whole and marks them with the attributes set here. A compiler that does not know
    them ignores them: the result is the same, only slower.

    Args:
      function: closes over no arrays, and holds no scatter and no sort.
      args: its arguments.
    """

    def whole(*args):
        # The compiler fails on arguments that such a function does not use, and its own
        # optimisation can make one unused: it moves constants into the function and drops indexes
        # into a single element. So every argument is used here, and nothing is moved in.
        out, use = jax.jit(with_use_of_all)(*lax.optimization_barrier(args))
        mark = functools.partial(set_xla_metadata, inlineable="false", xla_cpu_small_call="true")
        return lax.optimization_barrier(jax.tree.map(mark, (out, use)))[0]

    def with_use_of_all(*args):
        first = [jnp.ravel(x)[0].astype(jnp.int32) for x in jax.tree.leaves(args)]
        return function(*args), jnp.stack(first)

    return lax.platform_dependent(*args, cpu=whole, default=function)
