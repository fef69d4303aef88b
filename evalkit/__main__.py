"""`python -m evalkit`: how `accelerate launch -m evalkit` starts it on several GPUs."""

from evalkit.cli import main

if __name__ == "__main__":
    main()
