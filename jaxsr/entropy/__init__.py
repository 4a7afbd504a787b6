"""From symbols to bytes and back, in integers: the same on every backend.

``tables`` holds distributions as whole numbers, ``rans`` is the coder, ``loops`` what makes it
fast, ``integer`` the exact network that tells which table each symbol is coded with.
"""
