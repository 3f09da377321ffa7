"""Drawing of faces and of what is around them: classes in, grey pictures out.

Numbers of n faces are columns (n, 1); the points of a line or an outline are in rows (k,) or (n, k).
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from study.datasets.synthetic.light import photograph
from study.datasets.synthetic.person import SIDES, Face, express, sample_person, sample_pose, there_and_back
from study.datasets.synthetic.tools import SIDE_PX, Array, Dice, Sketch, plainness


def draw_faces(drawn: NDArray[np.int64], faces: NDArray[np.int64], difficulty: float, seed: int) -> NDArray[np.uint8]:
    """Return faces, uint8 (n, 48, 48, 1), with expressions of the classes drawn (n,).

    The index (n,) of a face in its set and the set's seed fix everything random about it. Difficulty 0 is clear,
    frontal and evenly lit, 1 is the hardest.
    """
    dice = Dice(seed, faces, SIDE_PX * SIDE_PX)
    pose = sample_pose(difficulty, SIDE_PX, dice)
    face = Face(sample_person(difficulty, dice), express(drawn, difficulty, dice), pose)
    sketch = Sketch(len(drawn))
    # Easy sets have people of similar tone before a middling wall, hard ones have all there are.
    vary = 0.25 + 1.5 * difficulty
    skin = np.clip(168.0 + dice.uniform(-58.0, 48.0) * vary, 70.0, 225.0)
    background = np.clip(128.0 + dice.uniform(-105.0, 105.0) * vary, 5.0, 250.0)
    hair = _sample_hair(skin, difficulty, dice)
    _draw_surroundings(sketch, background, dice)
    _draw_behind_face(sketch, face, skin, hair, dice)
    sketch.fill(face.head(), skin)
    _features(sketch, face, skin, hair.grey, difficulty, dice)
    _draw_hair(sketch, face, hair, dice)
    _draw_in_the_way(sketch, face, skin, difficulty, dice)
    return photograph(sketch.paint(background), face, difficulty, dice)


def _sample_hair(skin: Array, difficulty: float, dice: Dice) -> SimpleNamespace:
    """Return the grey level, styles, place of the parting and volume in face units of each person's hair.

    It is fair only on fair people; the easier the set, the more people wear it short and dark.
    """
    varied = 1.0 - plainness(difficulty)
    light = dice.chance(0.35) & (skin > 140.0)
    grey = np.where(light, dice.uniform(80.0, 165.0), dice.uniform(14.0, 70.0))
    bald = dice.chance(0.08 * varied)
    return SimpleNamespace(
        grey=50.0 + (grey - 50.0) * varied,
        bald=bald,
        long=dice.chance(0.42 * varied) & ~bald,
        fringe=dice.chance(0.25 * varied) & ~bald,
        parting=dice.uniform(-0.6, 0.6),
        volume=0.12 + (dice.uniform(0.04, 0.2) - 0.12) * varied,
    )


def _draw_behind_face(sketch: Sketch, face: Face, skin: Array, hair: SimpleNamespace, dice: Dice) -> None:
    """Add long hair, neck, shoulders and ears."""
    height = face.person.head_height
    angle = np.linspace(-0.8 * np.pi, 0.8 * np.pi, 22)
    grown = 0.04 + hair.volume
    # Round over the head, straight down from the ears.
    fallen = np.maximum(np.abs(angle) - 0.5 * np.pi, 0.0)
    x = np.where(fallen > 0.0, np.sign(angle), np.sin(angle)) * (1.0 + grown + 0.08 * fallen)
    y = np.where(fallen > 0.0, 1.7 * fallen, -np.cos(angle) * (height + grown))
    sketch.fill(face.flat(x, y), hair.grey * 0.8, hair.long)
    u = np.linspace(0.0, 1.0, 4)
    for side in SIDES:
        for place in (0.25, 0.55, 0.85):
            lock = face.flat(side * (0.98 + (place + 0.3 * u) * grown), -0.5 + 1.7 * u)
            sketch.line(lock, hair.grey * dice.uniform(0.7, 1.2), 0.05 * face.pose.scale, hair.long)
    drop = 0.4 * face.jaw_drop
    neck_x, neck_y = np.array([[-0.55, 0.55, 0.62, -0.62], [0.7, 0.7, 2.2, 2.2]])
    sketch.fill(face.flat(neck_x, neck_y + drop), 0.68 * skin)
    shirt_x = np.array([-2.6, -1.6, -0.62, 0.0, 0.62, 1.6, 2.6])
    shirt_y = np.array([2.6, 1.66, 1.42, 1.8, 1.42, 1.66, 2.6])
    sketch.fill(face.flat(shirt_x, shirt_y + drop), dice.uniform(15.0, 235.0))
    circle = np.linspace(0.0, 2.0 * np.pi, 12)
    for side in SIDES:
        ear = face.flat(side * 0.97 + 0.1 * np.cos(circle), 0.08 + 0.25 * np.sin(circle))
        sketch.fill(ear, 0.8 * skin, ~hair.long)


def _draw_hair(sketch: Sketch, face: Face, hair: SimpleNamespace, dice: Dice) -> None:
    """Add the hair on top of the head, its strands, a fringe and locks over the temples."""
    height, volume, parting = face.person.head_height, hair.volume, hair.parting
    angle = np.linspace(-0.54 * np.pi, 0.54 * np.pi, 20)
    outer_x = np.sin(angle) * (0.98 + 0.7 * volume)
    outer_y = -np.cos(angle) * (height + volume)
    t = np.linspace(-1.0, 1.0, 14)
    line = -0.88 + dice.normal(0.07) + np.where(hair.fringe, 0.3, 0.0)
    temple = dice.uniform(-0.3, 0.1)
    bend = np.abs(t) ** 3.5
    lifted = 0.14 * np.exp(-(((t - parting) / 0.4) ** 2))
    ragged = 0.035 * dice.normals(14)
    inner_y = line * (1.0 - bend) + temple * bend - lifted + ragged * (1.0 - bend)
    cap = face.flat(there_and_back(outer_x, 0.97 * t), there_and_back(outer_y, inner_y))
    sketch.fill(cap, hair.grey, ~hair.bald)
    # Strands run from the parting over the top of the head down to the hairline.
    u = np.linspace(0.0, 1.0, 4)
    for end in (-0.85, -0.62, -0.38, -0.15, 0.1, 0.35, 0.6, 0.85):
        end_y = line * (1.0 - abs(end) ** 3.5) + temple * abs(end) ** 3.5 - 0.12
        strand_x = 0.7 * parting * (1.0 - u) + end * u + 0.15 * np.sign(end) * np.sin(np.pi * u)
        strand_y = (0.04 - height - 0.6 * volume) * (1.0 - u) ** 1.5 + end_y * u**1.3
        grey = hair.grey * dice.uniform(0.8, 1.25) + dice.uniform(-4.0, 8.0)
        sketch.line(face.flat(strand_x, strand_y), grey, 0.05 * face.pose.scale, ~hair.bald)
    locks = hair.long & dice.chance(0.6)
    for side in SIDES:
        lock = face.flat(side * (0.97 - 0.1 * np.sin(np.pi * u) + 0.08 * u), -0.6 + 1.9 * u)
        sketch.line(lock, hair.grey, (0.1 + 0.5 * hair.volume) * face.pose.scale, locks)


def _draw_surroundings(sketch: Sketch, background: Array, dice: Dice) -> None:
    """Add things behind the person."""
    for _ in range(2):
        centre = np.stack([dice.uniform(0.0, 48.0), dice.uniform(-5.0, 40.0)], -1)
        width, height = dice.uniform(4.0, 26.0), dice.uniform(6.0, 40.0)
        corners = np.stack([width * [-1, 1, 1, -1], height * [-1, -1, 1, 1]], -1) * 0.5
        sketch.fill(centre + corners, background + dice.normal(35.0), dice.chance(0.5))


def _draw_in_the_way(sketch: Sketch, face: Face, skin: Array, difficulty: float, dice: Dice) -> None:
    """Add glasses, hands and things held before the face."""
    scale = face.pose.scale
    glasses = dice.chance(0.04 + 0.2 * difficulty)
    frame = np.where(dice.chance(0.75), dice.uniform(10.0, 50.0), dice.uniform(120.0, 200.0))
    thick = dice.uniform(0.025, 0.065) * scale
    roundness = dice.uniform(0.55, 1.0)
    angle = np.linspace(0.0, 2.0 * np.pi, 15)
    p = face.person
    for side in SIDES:
        cosine, sine = np.cos(angle), np.sin(angle)
        x = side * p.eye_x + 0.31 * np.sign(cosine) * np.abs(cosine) ** roundness
        y = p.eye_y + 0.03 + 0.23 * np.sign(sine) * np.abs(sine) ** roundness
        sketch.line(face.on(x, y, 0.1), frame, thick, glasses)
        sketch.line(face.wrinkle((side * 0.72, side * 1.0), (-0.15, -0.1)), frame, thick, glasses)
    sketch.line(face.wrinkle((-0.12, 0.12), (-0.15, -0.15), 0.04, 0.18), frame, thick, glasses)

    hand = dice.chance(0.22 * difficulty)
    hand_side = np.where(dice.chance(0.5), 1.0, -1.0)
    palm_x, palm_y = hand_side * dice.uniform(0.65, 1.15), dice.uniform(0.75, 1.5)
    reach = dice.uniform(0.45, 0.95)
    lean = hand_side * -dice.uniform(-0.1, 0.7)
    u = np.linspace(0.0, 1.0, 4)
    for pass_grey, grow in ((0.62, 0.05), (0.93, 0.0)):
        for finger in range(4):
            tip = reach * (1.0 - 0.1 * abs(finger - 1.3))
            x = palm_x + (finger - 1.5) * 0.17 + lean * tip * u + 0.03 * (finger - 1.5) * u
            y = palm_y - tip * u
            sketch.line(face.flat(x, y), pass_grey * skin, (0.155 + grow) * scale, hand)
    ring = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)
    palm = face.flat(palm_x + 0.42 * np.cos(ring), palm_y + 0.25 + 0.4 * np.sin(ring))
    sketch.fill(palm, 0.9 * skin, hand)

    bar = dice.chance(0.1 * difficulty)
    slope, level = dice.normal(0.25), dice.uniform(2.0, 46.0)
    across = np.array([-4.0, 52.0])
    upright = dice.chance(0.4)
    over = level + slope * (across - 24.0)
    ends = np.stack([np.where(upright, over, across), np.where(upright, across, over)], -1)
    sketch.line(ends, dice.uniform(10.0, 240.0), dice.uniform(2.0, 6.0), bar)


def _features(sketch: Sketch, face: Face, skin: Array, hair: Array, difficulty: float, dice: Dice) -> None:
    """Add what moves in a face: folds, nose, eyes, brows, beard and mouth."""
    age = np.clip(dice.normal(0.22) + 0.15, 0.0, 0.6)
    beard = dice.chance(0.05 + 0.18 * difficulty)
    thick = dice.uniform(0.25, 0.8)
    whiskers = (1.0 - thick) * skin + thick * hair
    _beard(sketch, face, skin, whiskers, beard)
    _wrinkles(sketch, face, skin, age)
    _nose(sketch, face, skin)
    iris, lashes = dice.uniform(20.0, 95.0), dice.uniform(0.022, 0.05)
    for side in SIDES:
        _eye(sketch, face, side, skin, age, iris, lashes)
        sketch.fill(_brow(face, side), np.minimum(0.75 * hair + 0.15 * skin, 0.72 * skin))
    _mouth(sketch, face, skin, dice)
    _moustache(sketch, face, whiskers, beard | dice.chance(0.12 * difficulty))


def _crease(skin: Array, strength: Array | float) -> Array:
    """Return the grey level of a fold in the skin; strength 0..1."""
    return skin * (1.0 - 0.34 * np.clip(strength, 0.0, 1.0))


def _beard(sketch: Sketch, face: Face, skin: Array, grey: Array, shown: NDArray[np.bool_]) -> None:
    p = face.person
    jaw = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 15)
    chin = np.maximum(np.cos(jaw), 0.0)
    outer_x = 0.935 * np.sign(jaw) * np.abs(np.sin(jaw)) ** p.squareness * (1.0 - p.jaw * chin**1.5)
    outer_y = chin * p.head_height + 0.85 * face.jaw_drop * chin**2
    # Layers, each narrower and darker, so that the beard has no hard edge.
    for layer in (1.0, 2.0, 3.0):
        inner_x = (0.6 + 0.11 * layer) * np.sin(jaw)
        inner_y = 0.28 + 0.06 * layer + 0.24 * chin - 0.15 * (1.0 - chin)
        whiskers = face.flat(there_and_back(outer_x, inner_x), there_and_back(outer_y, inner_y))
        share = layer / 3.0
        sketch.fill(whiskers, (1.0 - share) * skin + share * grey, shown)


def _wrinkles(sketch: Sketch, face: Face, skin: Array, age: Array) -> None:
    p, unit, px = face.person, face.unit, face.pose.scale
    u = np.linspace(0.0, 1.0, 6)
    end_x = p.mouth_width * (1.0 + 0.25 * unit(12) + 0.2 * unit(20)) + 0.07
    top = p.nose_y - 0.06 - 0.07 * unit(9)
    end = p.mouth_y - 0.1 - 0.08 * unit(12) + 0.1 * unit(15)
    for side in SIDES:
        depth = 0.25 * age + 0.55 * unit(12) + 0.7 * unit(9) + 0.6 * unit(10) + 0.15 * unit(20)
        # From the wing of the nose past the corner of the mouth.
        fold_x = side * ((p.nose_width + 0.05) * (1.0 - u) + end_x * u + 0.05 * np.sin(np.pi * u))
        fold = face.on(fold_x, top * (1.0 - u) + end * u, 0.05)
        sketch.line(fold, _crease(skin, 0.75 * depth), 0.03 * px, depth > 0.15)
        feet = 0.8 * unit(6) * (0.6 + age)
        for tilt in (-0.08, 0.06):
            line = face.wrinkle((side * 0.72, side * 0.86), (-0.13 + 0.4 * tilt, -0.13 + 1.6 * tilt))
            sketch.line(line, _crease(skin, 0.6 * feet), 0.02 * px, feet > 0.3)
        frown = unit(4)
        line = face.wrinkle((side * 0.07, side * 0.09), (-0.5, -0.28))
        sketch.line(line, _crease(skin, 0.75 * frown), 0.025 * px, frown > 0.3)
        scrunch = unit(9)
        line = face.wrinkle((side * 0.16, 0.02 * side), (-0.1, -0.16), lift=0.12)
        sketch.line(line, _crease(skin, 0.75 * scrunch), 0.025 * px, scrunch > 0.25)
        line = face.wrinkle((side * 0.17, 0.02 * side), (-0.01, -0.06), lift=0.14)
        sketch.line(line, _crease(skin, 0.65 * scrunch), 0.025 * px, scrunch > 0.35)
    raised = np.clip(0.5 * (unit(1) + unit(2)) * (0.5 + age), 0.0, 1.0)
    for level in (-0.68, -0.8):
        sketch.line(
            face.wrinkle((-0.42, 0.42), (level, level), 0.05), _crease(skin, 0.5 * raised), 0.022 * px, raised > 0.25
        )


def _nose(sketch: Sketch, face: Face, skin: Array) -> None:
    """Add the base line with the wings of the nose, and the nostrils."""
    p, unit = face.person, face.unit
    angle = np.linspace(0.0, 2.0 * np.pi, 10, endpoint=False)
    width = p.nose_width * (1.0 + 0.15 * unit(9) + 0.1 * unit(10) + 0.1 * unit(12))
    y = p.nose_y - 0.07 * unit(9) - 0.02 * unit(10)
    t = np.linspace(-1.0, 1.0, 9)
    base_y = y + 0.01 - 0.12 * np.abs(t) ** 3 + 0.02 * np.cos(np.pi * t)
    sketch.line(face.on(width * t, base_y, 0.2), 0.76 * skin, 0.035 * face.pose.scale)
    for side in SIDES:
        x = side * 0.52 * width + 0.048 * np.cos(angle)
        sketch.fill(face.on(x, y + 0.02 * np.sin(angle), 0.22), 0.35 * skin)


def _eye(sketch: Sketch, face: Face, side: float, skin: Array, age: Array, iris: Array, lashes: Array) -> None:
    """Add one eye; ``side`` is -1 (left in the picture) or +1."""
    p, unit, px = face.person, face.unit, face.pose.scale
    t = np.linspace(-1.0, 1.0, 9)
    closing = 1.0 - 0.8 * unit(43)
    up = p.eye_height * (1.0 + 0.95 * unit(5) - 0.35 * unit(7) - 0.15 * unit(6) - 0.25 * unit(9))
    up = np.maximum(0.012, up * closing)
    low = 0.75 * p.eye_height * (1.0 + 0.3 * unit(5) - 0.55 * unit(6) - 0.45 * unit(7))
    low = np.maximum(0.006, low * closing)
    width = p.eye_width * (1.0 + 0.08 * unit(5))
    middle_x, middle_y = side * p.eye_x, p.eye_y
    x = middle_x + width * t
    # The slant lifts the outer corner; sadness lets it droop.
    corner = middle_y - side * (p.eye_slant - 0.03 * unit(15) * unit(1)) * t
    bow = 1.0 - np.abs(t) ** 2.2
    upper_y, lower_y = corner - up * bow, corner + low * bow
    angle = np.linspace(0.0, 2.0 * np.pi, 14, endpoint=False)

    def disc(radius: float, left: float = 0.0, above: float = 0.012) -> Array:
        disc_x = middle_x + p.gaze_x - left + radius * np.cos(angle)
        disc_y = middle_y + p.gaze_y - above + radius * np.sin(angle)
        place = np.clip((disc_x - middle_x) / width, -1.0, 1.0)
        lid = 1.0 - np.abs(place) ** 2.2
        level = middle_y - side * p.eye_slant * place
        return face.on(disc_x, np.clip(disc_y, level - up * lid, level + low * lid))

    crease_y = corner - (up + 0.05 - 0.02 * unit(5)) * (1.0 - 0.6 * np.abs(t) ** 2)
    bag_y = corner + (low + 0.075) * (1.0 - 0.5 * t**2)
    bag = face.on(x[:, 1:-1], bag_y[:, 1:-1])
    sketch.line(bag, _crease(skin, 0.2 + 0.5 * age + 0.3 * unit(6) + 0.2 * unit(7)), 0.025 * px)
    sketch.line(face.on(x * 1.02, crease_y), _crease(skin, 0.4), 0.025 * px)
    sketch.fill(face.band(x, upper_y, lower_y), np.minimum(225.0, 1.18 * skin + 18.0))
    sketch.fill(disc(0.1), iris)
    sketch.fill(disc(0.05), 0.3 * iris)
    sketch.fill(disc(0.028, 0.035, 0.045), 190.0)
    sketch.line(face.on(x[:, 1:-1], lower_y[:, 1:-1]), 0.7 * skin, 0.02 * px)
    sketch.line(face.on(x, upper_y), np.minimum(0.35 * skin, 55.0), lashes * px)


def _brow(face: Face, side: float) -> Array:
    """Return the outline (n, 14, 2) of one eyebrow."""
    p = face.person
    inner_raised, outer_raised, lowered = (face.unit(number) for number in (1, 2, 4))
    u = np.linspace(0.0, 1.0, 7)
    x = side * (0.17 - 0.075 * lowered + 0.01 * inner_raised + u * 0.56)
    y = p.brow_y - p.brow_arch * np.sin(np.pi * u**1.3) + (u - 0.5) * p.brow_tilt
    y = y - 0.19 * inner_raised * (1.0 - u) ** 1.3 - 0.22 * outer_raised * np.sin(0.5 * np.pi * u)
    y = y + lowered * (0.19 - 0.16 * u) + 0.05 * face.unit(9) + 0.02 * face.unit(6) * u
    half = 0.5 * p.brow_thickness * np.clip(1.25 - 0.95 * u**1.5, 0.2, 1.0)
    return face.band(x, y - half, y + half, 0.03)


def _mouth(sketch: Sketch, face: Face, skin: Array, dice: Dice) -> None:
    p, px, au = face.person, face.pose.scale, face.unit
    t = np.linspace(-1.0, 1.0, 13)
    width = 1.0 + 0.36 * au(12) + 0.28 * au(20) + 0.05 * au(10)
    width = p.mouth_width * (width - 0.14 * au(23) - 0.1 * au(17) - 0.1 * au(26) - 0.2 * au(27))
    parted = np.minimum(1.2 * au(25), 1.0)
    # How far the lips leave their closed line, upwards and downwards.
    rise = parted * (0.03 + 0.08 * au(10) + 0.03 * au(12) + 0.09 * au(27) + 0.03 * au(26) + 0.02 * au(20))
    fall = parted * (0.04 + 0.11 * au(12) + 0.07 * au(20) + 0.07 * au(10) + 0.22 * au(26) + 0.5 * au(27))
    corner = -0.18 * au(12) + 0.17 * au(15) + 0.02 * au(20) - 0.03 * au(10) + p.mouth_rest
    corner = corner + parted * 0.05 * (au(26) + 1.5 * au(27))
    middle = p.mouth_y - 0.05 * au(17) - 0.045 * au(10) * (1.0 - parted) - 0.03 * au(9) + 0.035 * au(12) + 0.03 * au(27)
    x = width * t
    bend = np.abs(t) ** 1.7
    closed = middle + corner * bend + p.mouth_skew * t
    # Lips that are drawn up bare the teeth in a square, a smile is flat above and round below.
    square = np.clip(au(10) + 0.6 * au(20), 0.0, 1.0)
    bow = (1.0 - t**2) ** (0.9 - 0.4 * square)
    inner_top, inner_bottom = closed - rise * bow, closed + fall * bow
    thin = np.clip(1.0 - 0.65 * au(23) - 0.2 * au(12) - 0.25 * au(20) - 0.2 * au(17), 0.25, 1.0)
    cupid = 1.0 - 0.25 * np.exp(-((t / 0.16) ** 2))
    top = inner_top - p.lip_upper * thin * cupid * (1.0 - np.abs(t) ** 1.8)
    bottom = inner_bottom + p.lip_lower * thin * (1.0 + 0.15 * au(17)) * (1.0 - t**2) ** 0.7
    gap = rise + fall
    show = np.clip(0.3 + 0.7 * au(12) + 0.6 * au(20) + 0.7 * au(10) - 0.5 * au(27), 0.0, 1.0)
    # Upper teeth follow a smile, but end in a level line where the corners hang.
    bite = np.minimum(0.75 * gap, 0.16) * show
    hanging = np.minimum(corner, 0.0) * bend
    edge = middle - rise + bite * (1.0 - 0.4 * t**2) + hanging + p.mouth_skew * t
    low_bite = np.minimum(0.3 * gap, 0.06) * np.clip(au(10) + 0.8 * au(20) - 0.5 * au(12), 0.0, 1.0)
    near = 0.6 * t
    floor = middle + corner * np.abs(near) ** 1.7 + fall * (1.0 - near**2)

    def fill(x: Array, above: Array, below: Array, grey: Array, shown: NDArray[np.bool_] | bool = True) -> None:
        sketch.fill(face.band(x, above, below, 0.05), grey, shown)

    is_open = gap > 0.035
    fill(x, top, bottom, skin * dice.uniform(0.58, 0.86))
    fill(x * 0.97, inner_top, inner_bottom, dice.uniform(14.0, 42.0), is_open)
    fill(0.6 * x, floor - 0.3 * gap * (1.0 - t**2), floor - 0.01, 0.45 * skin, gap > 0.3)
    teeth = np.clip(edge, inner_top, inner_bottom)
    fill(x * 0.97, inner_top, teeth, dice.uniform(175.0, 240.0), is_open & (bite > 0.02))
    lower_teeth = inner_bottom - low_bite * bow**1.5
    fill(x * 0.97, lower_teeth, inner_bottom, dice.uniform(150.0, 215.0), is_open & (low_bite > 0.02))
    sketch.line(face.on(x * 1.03, closed, 0.05), 0.38 * skin, 0.035 * px, ~is_open)
    below = face.on(0.45 * x, bottom[:, 6:7] + 0.05 - 0.03 * t**2, 0.05)
    sketch.line(below, _crease(skin, 0.25 + 0.4 * au(17)), 0.04 * px)


def _moustache(sketch: Sketch, face: Face, grey: Array, shown: NDArray[np.bool_]) -> None:
    p, unit = face.person, face.unit
    t = np.linspace(-1.0, 1.0, 9)
    lip_top = p.mouth_y - 0.05 - 0.06 * unit(10) - 0.03 * unit(9)
    wide = p.mouth_width + 0.02 + 0.08 * unit(12)
    upper_y = lip_top - 0.13 + 0.1 * t**2
    lower_y = lip_top - 0.035 + 0.12 * t**2 - 0.1 * unit(12) * t**2
    sketch.fill(face.band(wide * t, upper_y, lower_y, 0.08), grey, shown)


def _wide(column: Array) -> Array:
    return column
