"""Clips that are encoded from pictures, for tests of video."""

import io
import os
from fractions import Fraction

import av
import numpy as np
from PIL import Image

TICKS = 1000  # a second, in the time base of the clips
_MUXERS = {"live", "movflags", "mpegts_start_pid"}  # options that are those of the container


def clip(pictures, *, rate=10, times=None, codec="libx264", container="mp4", gop=None, **options):
    """A clip of Pillow pictures, one a frame: at `rate` a second, or shown at `times` (seconds)."""
    out = io.BytesIO()
    with av.open(
        out, "w", format=container, options=options if _MUXERS & set(options) else {}
    ) as file:
        track = file.add_stream(codec, rate=rate)
        track.width, track.height = pictures[0].size
        track.pix_fmt = "yuv420p"
        if times is not None:
            track.codec_context.time_base = Fraction(1, TICKS)
        if codec == "libx264":
            track.options = {"preset": "ultrafast", "crf": "18"} | options
        if codec.startswith("libvpx"):
            # Negative: else VP8 takes more or less trouble by how fast the machine is just then.
            track.options = {"deadline": "realtime", "cpu-used": "-8"}
        if gop:
            track.codec_context.gop_size = gop
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.asarray(picture.convert("RGB")), format="rgb24")
            seconds = number / rate if times is None else times[number]
            frame.pts, frame.time_base = round(seconds * TICKS), Fraction(1, TICKS)
            file.mux(track.encode(frame))
        file.mux(track.encode(None))
    if codec == "libsvtav1" and hasattr(os, "sched_setscheduler"):
        # Where root runs it, it leaves its caller's thread a real-time one, and so all that this
        # starts: whatever else is on the machine waits for them, and they for one another.
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return out.getvalue()


def held(data, seconds, *, container):
    """The same clip with a last frame that is on screen for so many seconds."""
    out = io.BytesIO()
    with av.open(io.BytesIO(data)) as source, av.open(out, "w", format=container) as file:
        track = file.add_stream_from_template(source.streams.video[0])
        packets = [one for one in source.demux(video=0) if one.size]
        last = max(packets, key=lambda one: one.pts)
        last.duration = round(seconds / last.time_base)
        for packet in packets:
            packet.stream = track
            file.mux(packet)
    return out.getvalue()


def sound(seconds=1):
    """A file with the brand of a video that holds nothing but silence."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        track = file.add_stream("aac", rate=8000)
        for _ in range(seconds * 8):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1000), np.float32), "fltp", "mono")
            frame.sample_rate = 8000
            file.mux(track.encode(frame))
        file.mux(track.encode(None))
    return out.getvalue()


def shown_for(scene, *, seconds, rate=10, size=(320, 240)):
    """The pictures of a clip that shows scene after scene: (seed, seconds) pairs."""
    drawn = {seed: scene(seed, size) for seed, _ in seconds}
    return [drawn[seed] for seed, length in seconds for _ in range(round(length * rate))]


def panned(scene, seed, count, *, size=(320, 240), step=4):
    """Pictures of a camera that moves over a scene: each shows `step` pixels further."""
    wide = scene(seed, (size[0] + count * step, size[1]))
    return [wide.crop((at * step, 0, at * step + size[0], size[1])) for at in range(count)]


def turned_by(data, matrix):
    """An MP4 whose picture track declares that matrix: (a, b, c, d), each -1, 0 or 1."""
    at = data.index(b"tkhd") + 4
    place = at + 4 + (20 if data[at] == 0 else 32) + 16
    a, b, c, d = (number << 16 for number in matrix)
    values = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], ">i4").tobytes()
    return data[:place] + values + data[place + 36 :]


def jpegs(pictures, *, rate=10, container="mov"):
    """A file whose frames are JPEGs with EXIF, as cameras write them."""
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x010F] = "a maker"
    with av.open(out, "w", format=container) as file:
        track = file.add_stream("mjpeg", rate=rate)
        track.width, track.height = pictures[0].size
        track.pix_fmt = "yuvj420p"
        for number, picture in enumerate(pictures):
            one = io.BytesIO()
            picture.save(one, "JPEG", quality=95, exif=exif)
            packet = av.Packet(one.getvalue())
            packet.stream, packet.is_keyframe = track, True
            packet.pts = packet.dts = number
            packet.time_base = Fraction(1, rate)
            file.mux(packet)
    return out.getvalue()


def blank(grey=0, size=(320, 240)):
    """A picture of one grey."""
    return Image.new("RGB", size, (grey,) * 3)


def tracks(*shown, rate=10, container="mp4", covers=()):
    """A file with several tracks of pictures, and pictures that stand for it among them.

    `shown` are lists of Pillow pictures, one a track; `covers` the numbers of those that are
    covers, of one picture each.
    """
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        made = []
        for number, pictures in enumerate(shown):
            track = file.add_stream("png" if number in covers else "libx264", rate=rate)
            track.width, track.height = pictures[0].size
            track.pix_fmt = "rgb24" if number in covers else "yuv420p"
            if number in covers:
                track.disposition = av.stream.Disposition.attached_pic
            else:
                track.options = {"preset": "ultrafast", "crf": "18"}
            made.append(track)
        for number, track in sorted(enumerate(made), key=lambda one: one[0] not in covers):
            for at, picture in enumerate(shown[number]):
                frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
                frame.pts, frame.time_base = at, Fraction(1, rate)
                file.mux(track.encode(frame))
            file.mux(track.encode(None))
    return out.getvalue()


def in_fragments(pictures):
    """Return the boxes of a fragmented MP4: those before its fragments, and these."""
    data = clip(pictures, movflags="frag_keyframe+empty_moov+default_base_moof")
    first, last = data.index(b"moof") - 4, data.index(b"mfra") - 4
    return data[:first], data[first:last]
