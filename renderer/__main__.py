"""``python -m renderer`` is ``mcpctl``."""

from renderer.cli import run

if __name__ == "__main__":
    run()
