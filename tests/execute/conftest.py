import sys
from pathlib import Path

# Worker processes get this process's search path, and import the fakes from here.
sys.path.insert(0, str(Path(__file__).parent))
