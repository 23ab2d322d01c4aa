import subprocess
import sys

PROGRAM = """
import sys
import ablate.data
from ablate.config import FashionMNIST, ImageFolder, Mnist
for config in (FashionMNIST(), Mnist()):
    ablate.data.where(config)
fashion, root = sys.argv[1:]
ablate.data.verify(FashionMNIST(root=fashion))
ablate.data.lines(ablate.data.describe("fashion_mnist", fashion))
ablate.data.verify(ImageFolder(root=root))
ablate.data.describe("image_folder", root)
loaded = {"torch", "torchvision"} & set(sys.modules)
assert not loaded, loaded
from ablate.data import Images, load, prepare, split
assert "torch" in sys.modules and load.__module__ == Images.__module__ == "ablate.data.images"
"""


def test_finding_verifying_and_describing_never_import_torch(fashion, photos):
    subprocess.run([sys.executable, "-c", PROGRAM, str(fashion), str(photos)], check=True)
