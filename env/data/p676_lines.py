"""Writes p676_lines.csv, the spectroscopic lines of Recommendation ITU-R P.676-12, Annex 1, Tables 1 and 2.

The numbers are taken from the Python package itur (MIT licence), which ships the tables of the Recommendation:

    python -m venv /tmp/itur && /tmp/itur/bin/pip install --no-deps itur==0.4.0
    /tmp/itur/bin/python p676_lines.py > p676_lines.csv

Columns: gas, centre frequency in GHz, then the six coefficients (a1..a6 of oxygen, b1..b6 of water vapour).
"""

import csv
import importlib.util
import pathlib
import sys


def main() -> None:
    package = importlib.util.find_spec("itur")
    tables = pathlib.Path(package.submodule_search_locations[0], "data", "676")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["gas", "centre_ghz", "c1", "c2", "c3", "c4", "c5", "c6"])
    for gas, name in [("oxygen", "v12_lines_oxygen.txt"), ("water", "v12_lines_water_vapour.txt")]:
        with open(tables / name, encoding="utf-8-sig") as file:
            for row in list(csv.reader(file))[1:]:
                if row:
                    writer.writerow([gas] + [repr(float(number)) for number in row])


if __name__ == "__main__":
    main()
