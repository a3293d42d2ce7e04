"""`python -m sparse_vit` is `sparse-vit`."""

from sparse_vit.command_line import main

if __name__ == "__main__":
    main()
