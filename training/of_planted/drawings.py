"""Pictures whose class follows from one of their parts, and the truth about each part.

A picture is 64 pixels wide and high. All that is drawn fills whole patches of 8 pixels.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cache
from random import Random

import numpy as np

from .words import Cause

SIDE = 64  # pixels of a picture
PATCH = 8  # pixels of a patch
GRID = SIDE // PATCH
SHAPES = ("circle", "square", "plus", "diamond")
RED, BLUE = (205, 50, 45), (50, 85, 200)
COLOURS = (RED, BLUE, (60, 160, 75), (225, 180, 40), (130, 70, 160), (110, 110, 110))
JITTER = 18  # how far a colour may be from its name
PALE = (205, 250)  # grey levels of the background

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Thing:
    """A shape in one colour. row, column and size are counted in patches."""

    shape: str
    colour: Colour
    row: int
    column: int
    size: int

    @property
    def box(self) -> Box:
        """(left, top, right, bottom) in pixels."""
        left, top = self.column * PATCH, self.row * PATCH
        return left, top, left + self.size * PATCH, top + self.size * PATCH


@dataclass(frozen=True)
class Scene:
    """What is on a picture.

    background  the colours of its left and its right end; between them it changes evenly
    cause       the thing that the class follows from; None if it was taken away
    distractor  the thing that is never used; None if there is none
    label       the index of the class
    """

    background: tuple[Colour, Colour]
    cause: Thing | None
    distractor: Thing | None
    label: int

    @property
    def causes(self) -> list[Cause]:
        return [Cause(self.cause.box, 1)] if self.cause else []

    @property
    def distractors(self) -> list[Box]:
        return [self.distractor.box] if self.distractor else []

    def draw(self) -> np.ndarray:
        """[height width colour] uint8."""
        pixels = background(self.background)
        for thing in (self.distractor, self.cause):
            if thing is not None:
                left, top, right, bottom = thing.box
                mask = outline(thing.shape, thing.size * PATCH)
                pixels[top:bottom, left:right][mask] = thing.colour
        return pixels


@cache
def outline(shape: str, side: int) -> np.ndarray:
    """[side side] bool: where a shape is, a pixel away from the ends."""
    middle = (side - 1) / 2
    across = np.abs(np.arange(side) - middle)
    across, down = across[None], across[:, None]
    reach = side / 2 - 1
    masks = {
        "circle": across**2 + down**2 <= reach**2,
        "square": np.maximum(across, down) <= reach,
        "plus": (np.minimum(across, down) <= side / 6) & (np.maximum(across, down) <= reach),
        "diamond": across + down <= reach,
    }
    return masks[shape]


def background(ends: tuple[Colour, Colour]) -> np.ndarray:
    """[height width colour] uint8 that changes evenly from left to right."""
    left, right = np.array(ends, float)
    share = np.linspace(0, 1, SIDE)[:, None]
    row = (left + share * (right - left)).round().astype(np.uint8)
    return np.repeat(row[None], SIDE, axis=0)


def near(colour: Colour, random: Random) -> Colour:
    """A colour that has the same name."""
    red, green, blue = (level + random.randint(-JITTER, JITTER) for level in colour)
    return red, green, blue


def pale(random: Random) -> Colour:
    """A colour of the background."""
    red, green, blue = (random.randint(*PALE) for _ in range(3))
    return red, green, blue


class Rule(ABC):
    """What decides the class of a picture. classes: their names."""

    classes: tuple[str, ...]

    @abstractmethod
    def scene(self, random: Random) -> Scene:
        """A picture of any class; its distractor does not depend on the class."""

    @abstractmethod
    def bystander(self, scene: Scene, random: Random) -> Thing:
        """A distractor that could stand on this picture."""

    def other_distractor(self, scene: Scene, random: Random) -> Scene:
        """The same picture with another distractor, or without any."""
        if scene.distractor and random.random() < 0.3:
            return replace(scene, distractor=None)
        return replace(scene, distractor=self.bystander(scene, random))


class Corner(Rule):
    """The colour of a small mark in a corner is the class; the large shape is never used."""

    classes = ("red mark", "blue mark")

    def scene(self, random: Random) -> Scene:
        label = random.randrange(2)
        place = (random.choice((0, GRID - 1)), random.choice((0, GRID - 1)))
        mark = Thing("square", near((RED, BLUE)[label], random), *place, size=1)
        scene = Scene((pale(random), pale(random)), mark, None, label)
        if random.random() < 0.15:
            return scene
        return replace(scene, distractor=self.bystander(scene, random))

    def bystander(self, scene: Scene, random: Random) -> Thing:
        colour = near(random.choice((RED, BLUE, *COLOURS)), random)
        row, column = random.randint(1, 3), random.randint(1, 3)
        return Thing(random.choice(SHAPES), colour, row, column, size=4)


class Object(Rule):
    """The shape of the red object is the class; the blue one beside it is never used."""

    classes = SHAPES

    def scene(self, random: Random) -> Scene:
        label = random.randrange(len(SHAPES))
        row, column = random.randint(0, GRID - 2), random.randint(0, GRID - 2)
        thing = Thing(SHAPES[label], near(RED, random), row, column, size=2)
        scene = Scene((pale(random), pale(random)), thing, None, label)
        if random.random() < 0.15:
            return scene
        return replace(scene, distractor=self.bystander(scene, random))

    def bystander(self, scene: Scene, random: Random) -> Thing:
        while True:
            row, column = random.randint(0, GRID - 2), random.randint(0, GRID - 2)
            thing = Thing(random.choice(SHAPES), near(BLUE, random), row, column, size=2)
            if scene.cause is None or apart(thing, scene.cause):
                return thing


RULES: dict[str, Rule] = {"corner": Corner(), "object": Object()}


def apart(one: Thing, other: Thing) -> bool:
    """Whether two things have no patch in common."""
    rows, columns = abs(one.row - other.row), abs(one.column - other.column)
    return max(rows, columns) >= one.size


def patches_of(box: Box) -> np.ndarray:
    """[patch row, patch column] bool: the patches of a box that fills whole ones."""
    left, top, right, bottom = (edge // PATCH for edge in box)
    found = np.zeros((GRID, GRID), bool)
    found[top:bottom, left:right] = True
    return found


def missing_patches(random: Random) -> np.ndarray:
    """[patch row, patch column] bool: patches to be taken out; half of the time none."""
    if random.random() < 0.5:
        return np.zeros((GRID, GRID), bool)
    share = random.random()
    numbers = np.array([random.random() for _ in range(GRID * GRID)])
    return numbers.reshape(GRID, GRID) < share
