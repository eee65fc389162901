"""BentoML's parent process imports the service too: it must stay light, or memory and cold start double."""

import subprocess
import sys
from pathlib import Path


def test_importing_the_service_loads_no_torch() -> None:
    code = "import sys, serving.service; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True
    )
    assert done.stdout.split()[-1] == "False"
