"""`python -m portico` is `portico`."""

from .cli import main

if __name__ == "__main__":
    main()
