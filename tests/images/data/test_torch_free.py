import subprocess
import sys

PROGRAM = """
import sys
import ablate.images.data
from ablate.images.config import FashionMNIST, ImageFolder, Mnist
for config in (FashionMNIST(), Mnist()):
    ablate.images.data.where(config)
fashion, root = sys.argv[1:]
ablate.images.data.verify(FashionMNIST(root=fashion))
ablate.images.data.lines(ablate.images.data.describe("fashion_mnist", fashion))
ablate.images.data.verify(ImageFolder(root=root))
ablate.images.data.describe("image_folder", root)
loaded = {"torch", "torchvision"} & set(sys.modules)
assert not loaded, loaded
from ablate.images.data import Images, load, prepare, split
assert "torch" in sys.modules and load.__module__ == Images.__module__ == "ablate.images.data.images"
"""


def test_finding_verifying_and_describing_never_import_torch(fashion, photos):
    subprocess.run([sys.executable, "-c", PROGRAM, str(fashion), str(photos)], check=True)
