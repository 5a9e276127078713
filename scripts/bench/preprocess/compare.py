"""Runs the three programs in turn on one core, several rounds, and prints medians and ratios.

Usage: compare.py CORE ROUNDS PICTURES_FOLDER BARE CLIPD
"""

import pathlib
import statistics
import subprocess
import sys

# As many pictures as take about a second with the slowest of the three.
PICTURES = {"640x480": 100, "1920x1080": 25}


def main() -> None:
    core, rounds, folder, bare, clipd = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4], sys.argv[5]
    here = pathlib.Path(__file__).parent
    programs = {
        "bare decoding": [bare],
        "clipd": [clipd],
        "Pillow": [sys.executable, str(here / "pillow_speed.py")],
    }
    print(f"{'picture':<12} {'KB':>5} {'bare decoding':>14} {'clipd':>9} {'Pillow':>9}   Pillow/clipd  clipd/bare")
    for name, pictures in PICTURES.items():
        file = folder / f"{name}.jpg"
        took = {program: [] for program in programs}
        for _ in range(rounds):
            for program, command in programs.items():
                line = ["taskset", "-c", core, *command, str(file), str(pictures)]
                took[program].append(float(subprocess.run(line, check=True, capture_output=True, text=True).stdout))
        median = {program: statistics.median(values) for program, values in took.items()}
        print(
            f"{name:<12} {file.stat().st_size / 1000:>5.0f} {median['bare decoding']:>11.3f} ms {median['clipd']:>6.3f} ms"
            f" {median['Pillow']:>6.3f} ms {median['Pillow'] / median['clipd']:>13.2f}"
            f" {median['clipd'] / median['bare decoding']:>11.2f}"
        )


if __name__ == "__main__":
    main()
