"""From symbols to bytes and back, in integers: the same on every backend.

``tables`` holds distributions as whole numbers, ``rans`` is the coder, ``loops`` has the loops that
make it fast, and ``integer`` is the exact network that chooses the table of each symbol.
"""
