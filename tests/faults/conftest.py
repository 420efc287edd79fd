import os
import random

import pytest


@pytest.fixture
def dice():
    """Chance, with a seed that is printed: HBAGENT_FAULT_SEED makes a run happen again."""
    seed = int(os.environ.get("HBAGENT_FAULT_SEED", random.randrange(1 << 32)))
    print(f"HBAGENT_FAULT_SEED={seed}")
    return random.Random(seed)
