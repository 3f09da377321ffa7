"""Views at test time: an image, its mirror image, and crops of it, as shifts of what the network sees."""

from __future__ import annotations

from study.protocols.piece import VIEWS, Views


@VIEWS.register("flip")
class Flip(Views, frozen=True):
    """The image and its mirror image."""

    def shifts(self, side_px: int) -> list[tuple[int, int, bool]]:
        """Return both."""
        return [(0, 0, False), (0, 0, True)]


class Crops(Views, frozen=True):
    """The centre and the four corners, as ten-crop testing takes them (Krizhevsky et al. 2012, section 4.1).

    A network that crops its input sees the corner crops; another one sees the image shifted, its edges repeated.
    """

    shift: float = 1 / 12  #: How far the corners lie from the centre, as a share of the side.

    def crops(self, side_px: int) -> list[tuple[int, int]]:
        """Return the five shifts in pixels: down and to the right."""
        pixels = round(self.shift * side_px)
        return [(0, 0), *((down, right) for down in (-pixels, pixels) for right in (-pixels, pixels))]


@VIEWS.register("five")
class Five(Crops, frozen=True):
    """Centre and corners."""

    def shifts(self, side_px: int) -> list[tuple[int, int, bool]]:
        """Return five views."""
        return [(down, right, False) for down, right in self.crops(side_px)]


@VIEWS.register("ten")
class Ten(Crops, frozen=True):
    """Centre and corners, each mirrored too."""

    def shifts(self, side_px: int) -> list[tuple[int, int, bool]]:
        """Return ten views."""
        return [(down, right, mirrored) for mirrored in (False, True) for down, right in self.crops(side_px)]
