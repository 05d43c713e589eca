"""``python -m ffcore.cli``."""

from ffcore.cli.main import main

main()
