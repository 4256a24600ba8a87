"""`python -m arqlite` is `arqlite`."""

from .cli import main

if __name__ == "__main__":
    main()
