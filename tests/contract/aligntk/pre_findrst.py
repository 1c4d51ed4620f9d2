#!/usr/bin/env python
"""Link the images into the job's directory, and list them and their pairs."""

import os
from itertools import pairwise

from balsam.launcher.dag import current_job

images_dir = current_job.data["images_dir"]
os.symlink(images_dir, "images")
names = sorted(name.rpartition(".")[0] for name in os.listdir(images_dir) if name.endswith(".tif"))
with open("images.lst", "w") as images, open("pairs.lst", "w") as pairs:
    images.writelines(f"{name}\n" for name in names)
    pairs.writelines(f"{a} {b} {a}_{b}\n" for a, b in pairwise(names))
