"""Loops of a length known at run time: as lax.scan, alone, in batches and on every path."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.entropy.loops import in_turn, one_kernel, scan_rows


def running(t, carry, row, shared):
    """Adds up rows as long as the carry's own count of rows lasts."""
    total, count = carry
    total = jnp.where(t < count, total + row * shared, total)
    return (total, count), jnp.where(t < count, total, 0)


def run(trips, rows, shared, reverse=False):
    carry = (jnp.zeros(3, jnp.int32), trips)
    (total, _), out = scan_rows(running, trips, carry, rows, shared, reverse=reverse)
    return total, out


def expected(trips, rows, shared, reverse=False):
    rows = np.asarray(rows) * np.asarray(shared) * (np.arange(len(rows)) < trips)[:, None]
    out = np.cumsum(rows[::-1], 0)[::-1] if reverse else np.cumsum(rows, 0)
    return rows.sum(0), out * (np.arange(len(rows)) < trips)[:, None]


@pytest.mark.parametrize("reverse", [False, True])
def test_only_the_first_rows_are_run(reverse):
    rows = jnp.arange(15).reshape(5, 3)
    for trips in (0, 1, 3, 5):
        total, out = jax.jit(run, static_argnums=3)(jnp.int32(trips), rows, jnp.int32(2), reverse)
        assert (total == expected(trips, rows, 2, reverse)[0]).all()
        assert (out == expected(trips, rows, 2, reverse)[1]).all()


def test_a_batch_runs_each_for_its_own_length():
    trips, rows = jnp.array([0, 4, 2]), jnp.arange(45).reshape(3, 5, 3)
    total, out = jax.jit(jax.vmap(run, (0, 0, None)))(trips, rows, jnp.int32(1))
    for b in range(3):
        assert (total[b] == expected(trips[b], rows[b], 1)[0]).all()
        assert (out[b] == expected(trips[b], rows[b], 1)[1]).all()


def test_a_batch_of_batches_with_rows_in_common():
    trips, shared = jnp.array([[1, 5], [2, 3]]), jnp.array([3, -1])
    rows = jnp.arange(15).reshape(5, 3)
    twice = jax.vmap(jax.vmap(run, (0, None, None)), (0, None, 0))
    total, out = jax.jit(twice)(trips, rows, shared)
    for a, b in np.ndindex(2, 2):
        assert (total[a, b] == expected(trips[a, b], rows, shared[a])[0]).all()
        assert (out[a, b] == expected(trips[a, b], rows, shared[a])[1]).all()


def test_in_turn_is_vmap_whatever_is_batched():
    function = lambda x, pair: {"sum": x + pair[0], "product": x * pair[1]}  # noqa: E731
    x, a, b = jnp.arange(4), jnp.arange(4) + 1, jnp.int32(7)
    axes = (0, (None, None)), (0, (0, None)), (None, (0, 0))
    for on_x, (on_a, on_b) in axes:
        arguments = (x if on_x == 0 else b, (a if on_a == 0 else b, a if on_b == 0 else b))
        ours = jax.jit(jax.vmap(in_turn(function), (on_x, (on_a, on_b))))(*arguments)
        theirs = jax.vmap(function, (on_x, (on_a, on_b)))(*arguments)
        assert jax.tree.all(jax.tree.map(lambda p, q: (p == q).all(), ours, theirs))


def test_arguments_without_use_do_not_break_a_function_compiled_in_one_piece():
    function = lambda x, unused, constant, flag: x[jnp.zeros(3, int)] + constant[0] * 0  # noqa: E731
    call = jax.jit(lambda x: one_kernel(function, x, x * 2, jnp.arange(5), jnp.bool_(True)))
    assert (call(jnp.array([4])) == 4).all()
