"""Targets that datasets are read from: csv files, folders, archives, and single image files."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import random
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from study.core.errors import DataError
from study.datasets.load import load
from study.datasets.readers.image_file import strict_pillow
from tests.datasets.sources import csv_rows, pixels, write_classes, write_csv, write_fer2013_folders, write_image
from tests.fuzz.mutations import WORDS, Seeds, mutate_bytes, mutate_json, mutate_text
from tests.fuzz.target import Target

_SIDE = 8
_MAGIC = {"jpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n", "bmp": b"BM", "webp": b"RIFF", "tiff": b"II*"}


def _loaded(name: str) -> Callable[[bytes, Path], object]:
    """Return a reader of a dataset in a file of that name: all that `study data show` reads."""

    def read(data: bytes, folder: Path) -> object:
        path = folder / name
        path.write_bytes(data)
        try:
            return load(str(path), cache_dir=folder / "cache")
        finally:
            shutil.rmtree(folder / "cache", ignore_errors=True)

    return read


def _csv_seeds(folder: Path) -> Seeds:
    rows = csv_rows(1, side=_SIDE)
    forms = {
        "emotion,pixels,Usage": rows,
        "emotion, Usage, pixels": [",".join([row.split(",")[0], row.split(",")[2], row.split(",")[1]]) for row in rows],
        "emotion,pixels": [row.rsplit(",", 1)[0] for row in csv_rows(4, ("Training",), side=_SIDE)],
    }
    return [write_csv(folder / "seed.csv", lines, header).read_bytes() for header, lines in forms.items()]


def _other_csv_seeds(folder: Path) -> Seeds:
    """Write csv files with other classes, encodings and separators."""
    named = [
        "emotion,pixels,Usage",
        *(row.replace(row[0], "joy" if row[0] < "4" else "anger", 1) for row in csv_rows(1, side=_SIDE)),
    ]
    eight = [
        "label;pixels;usage",
        *(f"{seed % 8};{row.split(',')[1]};train" for seed, row in enumerate(csv_rows(4, side=_SIDE))),
    ]
    return [
        "\n".join(named).encode("utf-16"),
        "\r\n".join(eight).encode(),
        "\n".join(named).replace(",", "\t").encode("utf-8-sig"),
    ]


def _has_pixels(data: bytes) -> bool:
    return b"pixels" in data[:60].replace(b"\0", b"").lower()


def _mutate_table(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    """Change text in its own encoding."""
    if not data.startswith(b"\xff\xfe") or rng.random() < 0.2:
        return mutate_text(data, seeds, rng)
    return mutate_text(data.decode("utf-16").encode(), seeds, rng).decode("utf-8", "replace").encode("utf-16")


def _list_seeds(folder: Path) -> Seeds:
    """Write 24 images; what is mutated is their list."""
    for seed in range(24):
        write_image(folder / "listed" / "images" / f"{'train' if seed % 3 else 'test'}_{seed:05d}.png", pixels(seed, 8))
    names = sorted(path.name for path in (folder / "listed" / "images").iterdir())
    table = ["image,label,split", *(f"images/{name},{n % 2},{name.split('_')[0]}" for n, name in enumerate(names))]
    bare = [f"{name} {place % 7 + 1}" for place, name in enumerate(names)]
    affectnet = ["subDirectory_filePath\texpression", *(f"images/{name}\t{n % 3}" for n, name in enumerate(names))]
    return ["\n".join(table).encode(), "\n".join(bare).encode(), "\n".join(affectnet).encode("utf-16")]


def _names_images(data: bytes) -> bool:
    return b".png" in data.replace(b"\0", b"")


def _read_list(data: bytes, folder: Path) -> object:
    """Read a list under the names that mean something."""
    errors = []
    for name in ("labels.csv", "list_patition_label.txt"):
        path = folder / "listed" / name
        path.write_bytes(data)
        try:
            load(str(path.parent), cache_dir=folder / "cache")
        except DataError as error:
            errors.append(error)
        finally:
            shutil.rmtree(folder / "cache", ignore_errors=True)
            path.unlink()
    if len(errors) == 2:
        raise errors[0]
    return True


def _has_columns(data: bytes) -> bool:
    names = [name.strip(b' \t\r\n"\xef\xbb\xbf').lower() for name in data.split(b"\n", 1)[0].split(b",")]
    return b"emotion" in names and b"pixels" in names


def _ferplus_seeds(folder: Path) -> Seeds:
    head = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    rows = [
        "Training,fer1.png,4,0,0,1,3,2,0,0,0,0",
        "PublicTest,fer2.png,0,9,1,0,0,0,0,0,0,0",
        "PrivateTest,,0,0,0,9,0,0,0,1,0,0",
    ]
    return ["\n".join([head, *rows]).encode() + b"\n", "\r\n".join([head, *rows]).encode()]


def _read_ferplus(data: bytes, folder: Path) -> object:
    from study.datasets.readers import fer2013
    from study.datasets.readers.ferplus import read_ferplus

    path = folder / "fer2013new.csv"
    path.write_bytes(data)
    codes = {name: code for code, name in enumerate(fer2013.CLASSES)}
    labels = np.array([codes["neutral"], codes["happy"], codes["sad"]])
    return read_ferplus(path, labels, np.array([0, 1, 2], np.uint8), fer2013.CLASSES)


def _image_seeds(kind: str) -> Callable[[Path], Seeds]:
    def seeds(folder: Path) -> Seeds:
        grey, colour = Image.fromarray(pixels(1, 24)[..., 0]), Image.fromarray(pixels(2, 24, 3))
        forms: list[tuple[Image.Image, dict[str, object]]] = [(grey, {}), (colour, {})]
        turned = Image.Exif()
        turned[0x0112] = 6
        if kind == "jpeg":
            forms += [(colour, {"exif": turned, "progressive": True}), (colour.convert("CMYK"), {})]
        elif kind == "png":
            forms += [
                (colour.convert("P"), {"transparency": 3}),
                (grey.convert("1"), {}),
                (colour.convert("RGBA"), {"exif": turned}),
            ]
        elif kind == "webp":
            forms += [(colour, {"lossless": True, "exif": turned}), (colour.convert("RGBA"), {})]
        elif kind == "tiff":
            forms += [(colour, {"compression": name}) for name in ("tiff_lzw", "tiff_deflate", "jpeg", "packbits")]
            forms += [(grey.convert("1"), {"compression": "group4"}), (colour.convert("P"), {"tiffinfo": {0x0112: 6}})]
        else:
            forms += [(colour.convert("P"), {}), (grey.convert("1"), {})]
        found = []
        for image, options in forms:
            buffer = io.BytesIO()
            image.save(buffer, kind, **options)
            found.append(buffer.getvalue())
        return found

    return seeds


def _read_image(data: bytes, folder: Path) -> object:
    """Read one file as a dataset's image and as a picture to predict on, which say the same of it."""
    from study.datasets.readers.entry import in_memory
    from study.datasets.readers.image_stack import read_stack
    from study.datasets.readers.place import Place
    from study.faces.pictures import read_picture

    path = folder / "image.png"
    path.write_bytes(data)
    _, found = read_stack([Place(path)], in_memory)
    with strict_pillow():
        try:
            read_picture(path)
            read_picture(io.BytesIO(data))
        except ValueError as error:
            raise DataError(str(error)) from error
    if isinstance(found[0], str):
        raise DataError(found[0])
    return found


def _folder_seeds(folder: Path) -> Seeds:
    """Write folders; what is mutated is the list of their files, one line each: content, name below the folder."""
    write_classes(folder / "source" / "a", ("joy", "anger"), 4, side=_SIDE)
    write_fer2013_folders(folder / "source" / "b", 1)
    seeds = []
    for name in ("a", "b"):
        root = folder / "source" / name
        files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
        seeds.append("\n".join(f"{name}/{file}\t{file}" for file in files).encode())
    return seeds


def _mutate_folder(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    """Change the list: names, doubled and removed files, and what lies there instead of an image."""
    lines = [line.split("\t") for line in data.decode().split("\n")]
    for _ in range(rng.randint(1, 6)):
        line, change = rng.choice(lines), rng.randrange(6)
        parts = line[1].split("/")
        if change == 0:
            line[0] = rng.choice((":folder", ":link", ":pipe", ":empty", ":text", ":self"))
        elif change == 1:
            parts[rng.randrange(len(parts))] = rng.choice(
                (*WORDS, "train", "test", "val", "Training_1.png", "fer2013.csv", "image", "labels.csv", "@eaDir")
            )
        elif change == 2:
            lines.append([line[0], f"{line[1]}.copy.png"])
        elif change == 3 and len(lines) > 1:
            lines.remove(line)
        elif change == 4:
            parts.insert(0, rng.choice(("train", "deep", ".hidden", "__MACOSX")))
        else:
            parts[-1] = rng.choice(
                ("image.PNG", "a.jpeg", "odd \udcff.png", "\u202e.png", "new\nline.png", ".png", "no suffix")
            )
        line[1] = "/".join(parts)
    return "\n".join("\t".join(line) for line in lines).encode("utf-8", "surrogateescape")


def _lines(data: bytes) -> list[list[str]]:
    lines = [line.split("\t") for line in data.decode("utf-8", "surrogateescape").split("\n")]
    return [line for line in lines if len(line) == 2]


def _has_images(data: bytes) -> bool:
    return sum(not kind.startswith(":") and name.endswith(".png") and "/" in name for kind, name in _lines(data)) > 1


def _read_folder(data: bytes, folder: Path) -> object:
    root = folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for kind, name in _lines(data):
        path = Path(os.path.normpath(root / name.lstrip("/")))
        try:
            if root not in path.parents:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == ":folder":
                path.mkdir()
            elif kind == ":pipe":
                os.mkfifo(path)
            elif kind.startswith(":"):
                target = {":link": "nowhere", ":self": "."}.get(kind)
                if target:
                    path.symlink_to(target)
                else:
                    path.write_bytes(b"" if kind == ":empty" else b"text\0" * 9)
            else:
                shutil.copyfile(folder / "source" / kind, path)
        except (OSError, ValueError):  # a name that this file system does not take
            continue
    try:
        return load(str(root), cache_dir=folder / "cache")
    finally:
        shutil.rmtree(folder / "cache", ignore_errors=True)


def _archive_files() -> dict[str, bytes]:
    """Return what the archives hold: a folder with two classes of four small images each."""
    files = {}
    for place, label in enumerate(("joy", "anger")):
        for seed in range(4):
            buffer = io.BytesIO()
            Image.fromarray(pixels(10 * place + seed, _SIDE)[..., 0]).save(buffer, "png")
            files[f"faces/{label}/{seed}.png"] = buffer.getvalue()
    return files


def _zip_seeds(folder: Path) -> Seeds:
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, data in _archive_files().items():
                archive.writestr(name, data)
        found.append(buffer.getvalue())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fer2013.csv", "\n".join(["emotion,pixels,Usage", *csv_rows(1, side=_SIDE)]))
    return [*found, buffer.getvalue()]


def _mutate_zip(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    """Change bytes, or what the entries say of themselves."""
    if rng.random() < 0.5:
        return mutate_bytes(data, seeds, rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        entries = old.infolist()
        changed = set(rng.sample(range(len(entries)), rng.randint(1, min(3, len(entries)))))
        for number, entry in enumerate(entries):
            content, copy = old.read(entry), zipfile.ZipInfo(entry.filename, (1980, 1, 1, 0, 0, 0))
            if number in changed:
                change = rng.randrange(5)
                if change == 0:
                    copy.filename = copy.filename.replace("joy", rng.choice(WORDS)[:60000].replace("\ud800", ""))
                elif change == 1:
                    copy.filename = rng.choice(
                        ("../x.png", "/x.png", "C:\\x.png", entries[0].filename, "faces/", "faces", "a//b/./c.png")
                    )
                elif change == 2:
                    copy.external_attr = (
                        rng.choice((stat.S_IFLNK, stat.S_IFCHR, stat.S_IFDIR, stat.S_IFIFO, 0xFFFF)) << 16
                    )
                elif change == 3:
                    content = mutate_bytes(content, seeds, rng)
                else:
                    copy.extra = rng.choice(
                        (b"\1\0\x10\0" + b"\xff" * 16, b"\x75\x70\x05\0\1" + bytes(4), rng.randbytes(9))
                    )
            copy.compress_type = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
            new.writestr(copy, content)
    packed = buffer.getvalue()
    return packed if rng.random() < 0.6 else mutate_bytes(packed, seeds, rng)


def _is_zip(data: bytes) -> bool:
    return data[:2] == b"PK" and zipfile.is_zipfile(io.BytesIO(data))


def _plain_tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in _archive_files().items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _mutate_tar(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    """Change bytes, or the fields of headers, whose checksums are then made right again."""
    changed = bytearray(data)
    fields = {0: 100, 100: 8, 124: 12, 136: 12, 156: 1, 157: 100, 257: 8, 345: 155}  # starts and lengths
    headers = [place for place in range(0, len(data) - 511, 512) if data[place + 257 : place + 262] == b"ustar"]
    if rng.random() < 0.25 or not headers:
        return mutate_bytes(data, seeds, rng)
    for _ in range(rng.randint(1, 3)):
        place, start = rng.choice(headers), rng.choice(list(fields))
        length = fields[start]
        value = rng.choice(
            (
                b"0" * 11,
                b"7" * 11,
                b"\x80" + b"\xff" * 11,
                b"\xff" * 12,
                b"-1",
                b"",
                b"x" * length,
                rng.randbytes(length),
                rng.choice(WORDS).encode(),
            )
        )
        if start == 156:
            value = rng.choice(
                (b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"L", b"K", b"S", b"x", b"g", b"X", b"\0", b"z")
            )
        changed[place + start : place + start + length] = value[:length].ljust(length, b"\0")
        changed[place + 148 : place + 156] = b" " * 8
        changed[place + 148 : place + 156] = b"%06o\0 " % sum(changed[place : place + 512])
    return bytes(changed)


def _is_tar(data: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(data[:512], "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return False
    return True


def _packed_tar(
    name: str, pack: Callable[[bytes], bytes], unpack: Callable[[bytes], bytes], magic: bytes, count: int
) -> Target:
    """Return the target of a packed tar: the stream is changed, or the tar inside."""

    def mutate(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
        if rng.random() < 0.5:
            return mutate_bytes(data, seeds, rng)
        return pack(_mutate_tar(unpack(data), [unpack(seed) for seed in seeds], rng))

    return Target(
        name,
        lambda folder: [pack(_plain_tar())],
        lambda data: data.startswith(magic),
        _loaded(f"faces.{name}"),
        mutate,
        count,
    )


def _read_settings(data: bytes, folder: Path) -> object:
    from study.datasets.load import synthetic_settings

    return synthetic_settings(data.decode("utf-8", "replace"))


def _prepared_seeds(folder: Path) -> Seeds:
    from study.datasets.load import load
    from study.datasets.readers.prepared import write_prepared
    from tests.datasets.sources import write_classes

    found = []
    for channels in (1, 3):
        path = write_classes(folder / f"faces-{channels}", ("joy", "anger"), 20, side=_SIDE, channels=channels)
        write_prepared(load(str(path), cache_dir=folder / "cache"), folder / "made.study")
        found.append((folder / "made.study").read_bytes())
    return found


def _mutate_prepared(data: bytes, seeds: Seeds, rng: random.Random) -> bytes:
    """Change bytes, or one of the arrays, or what is said of them."""
    from study.core.arrays import read_arrays, write_arrays

    if rng.random() < 0.2:
        return mutate_bytes(data, seeds, rng)
    arrays = read_arrays(data)
    name = rng.choice(sorted(arrays))
    if name == "about":
        said = json.dumps(mutate_json(json.loads(arrays["about"].tobytes()), rng)).encode("utf-8", "surrogatepass")
        arrays["about"] = np.frombuffer(said, np.uint8)
    elif rng.random() < 0.2:
        arrays[name] = rng.choice((arrays[name][:-1], arrays[name].astype(np.float64), arrays[name][np.newaxis]))
    else:
        changed = bytearray(arrays[name].tobytes())
        for _ in range(rng.randint(1, 3)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        arrays[name] = np.frombuffer(bytes(changed), arrays[name].dtype).reshape(arrays[name].shape)
    return write_arrays(arrays)


TARGETS = (
    Target("prepared", _prepared_seeds, lambda data: data[:2] == b"PK", _loaded("faces.study"), _mutate_prepared, 100),
    Target(
        "synthetic-settings",
        lambda folder: [b"images=200,difficulty=0.5", b"label_noise = 0.1, seed=7,images=1000"],
        lambda data: b"=" in data,
        _read_settings,
        mutate_text,
        100,
    ),
    Target("fer2013-csv", _csv_seeds, _has_columns, _loaded("faces.csv"), mutate_text, 300),
    Target("other-csv", _other_csv_seeds, _has_pixels, _loaded("faces.csv"), _mutate_table, 150),
    Target("list", _list_seeds, _names_images, _read_list, _mutate_table, 150),
    Target(
        "ferplus-csv",
        _ferplus_seeds,
        lambda data: b"neutral" in data[:200] and b"Usage" in data[:200],
        _read_ferplus,
        mutate_text,
        100,
    ),
    *(
        Target(
            f"image-{kind}",
            _image_seeds(kind),
            lambda data, magic=magic: data.startswith(magic),
            _read_image,
            count=120,
        )
        for kind, magic in _MAGIC.items()
    ),
    Target("folder", _folder_seeds, _has_images, _read_folder, _mutate_folder, 150),
    Target("zip", _zip_seeds, _is_zip, _loaded("faces.zip"), _mutate_zip, 250),
    Target("tar", lambda folder: [_plain_tar()], _is_tar, _loaded("faces.tar"), _mutate_tar, 200),
    _packed_tar("tar.gz", lambda data: gzip.compress(data, mtime=0), gzip.decompress, b"\x1f\x8b", 80),
    _packed_tar("tar.xz", lzma.compress, lzma.decompress, b"\xfd7zXZ\0", 80),
    _packed_tar("tar.bz2", bz2.compress, bz2.decompress, b"BZh", 60),
)
