"""What the benchmarks share: their options, a folder to work in, medians and tables."""

import argparse
import json
import mmap
import os
import pathlib
import platform
import signal
import statistics
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# A host takes back what is free only in pieces larger than this.
HELD_BYTES = 2 << 20


def arguments(description, helps=None, **defaults):
    """The options that every benchmark has, and its own with their defaults and what they mean."""
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--firebrick", default=str(ROOT / "target/release/firebrick"),
                        metavar="BINARY", help="what to measure (default: the release build)")
    parser.add_argument("--dir", default=None,
                        help="where to work; its disk is what is measured (default: a temporary folder)")
    parser.add_argument("--json", nargs="?", const="-", default=None, metavar="FILE",
                        help="write the raw figures as JSON too, to standard output without a FILE")
    parser.add_argument("--hold", type=int, default=0, metavar="MIB",
                        help="of memory that are used once and kept from being handed back to the host of a "
                             "virtual machine, which it would have to ask for each page again")
    for name, value in defaults.items():
        means = (helps or {}).get(name, "")
        given = {"action": "store_true"} if value is False else {"type": type(value), "default": value}
        shown = "" if value is False or value == "" else f" (default: {value})"
        parser.add_argument(f"--{name.replace('_', '-')}", help=f"{means}{shown}".strip(), **given)
    # Who is told to end ends what it started and removes what it made.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    args = parser.parse_args()
    # For as long as the program runs.
    args.held = hold(args.hold) if args.hold else None
    return args


def work_folder(args):
    """A folder that goes with the benchmark."""
    return tempfile.TemporaryDirectory(prefix="fb-bench-", dir=args.dir)


def wanted_names(names, choice):
    """Those of the names that are in the list `A; B`; all without one. Refuses what is none of them."""
    chosen = [name.strip() for name in choice.split(";") if name.strip()]
    for name in chosen:
        if name not in names:
            raise SystemExit(f"{name!r} is none of {'; '.join(names)}")
    return [name for name in names if not chosen or name in chosen]


def wanted(patterns, choice):
    """Those of the patterns that have a part of the list `A; B` in their labels; all without one."""
    parts = [part.strip() for part in choice.split(";") if part.strip()]
    found = [one for one in patterns if not parts or any(part in one.label for part in parts)]
    if not found:
        raise SystemExit(f"{choice!r} is in none of {'; '.join(one.label for one in patterns)}")
    return found


def say(text):
    """Tells whoever watches how far it is."""
    print(text, file=sys.stderr, flush=True)


def hold(mib):
    """Uses so much memory once, but leaves a sixteenth of what is free, and gives back all but a page of
    each `HELD_BYTES`; those last until what this returns is closed."""
    mib = min(mib, os.sysconf("SC_AVPHYS_PAGES") * mmap.PAGESIZE * 15 // 16 >> 20)
    memory = mmap.mmap(-1, max(mib << 20, mmap.PAGESIZE), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # Of a large page no part can be given back.
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    say(f"using {mib} MiB of memory once")
    memory[::mmap.PAGESIZE] = bytes(len(memory) // mmap.PAGESIZE)
    for start in range(0, len(memory) - HELD_BYTES + 1, HELD_BYTES):
        memory.madvise(mmap.MADV_DONTNEED, start + mmap.PAGESIZE, HELD_BYTES - mmap.PAGESIZE)
    return memory


def median(values):
    """The median."""
    return statistics.median(values)


def verdict(value, asked, most=False):
    """What is asked of a figure, and whether it is so."""
    met = value <= asked if most else value >= asked
    return f"{'<=' if most else '>='} {asked:g}: {'yes' if met else 'NO'}"


def table(header, rows):
    """Prints a Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("| " + " | ".join("---" for _ in header) + " |")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


def heading(text, note=""):
    """Prints the title of what follows."""
    print(f"### {text}\n" + (f"\n{note}\n" if note else ""))


def machine():
    """One line about where this ran."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return f"{os.cpu_count()} processors, {memory} GiB of memory, Linux {platform.release()}."


def raw(args, figures):
    """Writes the raw figures where the options say."""
    if args.json == "-":
        print(json.dumps(figures))
    elif args.json:
        pathlib.Path(args.json).write_text(json.dumps(figures, indent=1) + "\n")
