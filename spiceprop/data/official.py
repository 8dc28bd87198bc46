# SPDX-License-Identifier: GPL-3.0-or-later
"""What the published files of MNIST and Fashion-MNIST are: names, counts, addresses and checksums.

    MNIST          LeCun, Cortes, Burges; licence CC BY-SA 3.0, as commonly stated
    Fashion-MNIST  Xiao, Rasul, Vollgraf, arXiv:1708.07747; licence MIT

Both are 60,000 training and 10,000 test images of 28 x 28 pixels in ten classes. The checksums are those of
the .gz files as their authors publish them. They guard downloads; a file that a user put in place may have
been compressed again, so of such a file only its content is checked.
"""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class OfficialFile:
    """One published file: its name, its size in bytes and its sha256, all of the compressed file."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class OfficialSet:
    """One published data set: four files, and what they must hold.

    `folder` is the name of the folder they are kept in and of the data set; `url` ends in a slash.
    """

    folder: str
    title: str
    url: str
    train_images: OfficialFile
    train_labels: OfficialFile
    test_images: OfficialFile
    test_labels: OfficialFile
    train_count: int = 60_000
    test_count: int = 10_000
    image_shape: tuple[int, int] = (28, 28)
    classes: int = 10

    @property
    def files(self) -> tuple[OfficialFile, OfficialFile, OfficialFile, OfficialFile]:
        """Training images and labels, then test images and labels."""
        return self.train_images, self.train_labels, self.test_images, self.test_labels


_MNIST = OfficialSet(
    folder="mnist",
    title="MNIST",
    url="https://ossci-datasets.s3.amazonaws.com/mnist/",
    train_images=OfficialFile(
        "train-images-idx3-ubyte.gz",
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    train_labels=OfficialFile(
        "train-labels-idx1-ubyte.gz",
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    test_images=OfficialFile(
        "t10k-images-idx3-ubyte.gz",
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    test_labels=OfficialFile(
        "t10k-labels-idx1-ubyte.gz",
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)

_FASHION_MNIST = OfficialSet(
    folder="fashion_mnist",
    title="Fashion-MNIST",
    # The authors' site answers plain http only; the checksums are what makes the download trustworthy.
    url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    train_images=OfficialFile(
        "train-images-idx3-ubyte.gz",
        26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    train_labels=OfficialFile(
        "train-labels-idx1-ubyte.gz",
        29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    test_images=OfficialFile(
        "t10k-images-idx3-ubyte.gz",
        4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    test_labels=OfficialFile(
        "t10k-labels-idx1-ubyte.gz",
        5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
)

OFFICIAL_SETS = MappingProxyType({official.folder: official for official in (_MNIST, _FASHION_MNIST)})
