"""``python -m benchmarks``: measure arqlite and its peers on one server and hold it against its bars."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from . import bars, machine, report, rounds, venvs
from .bench import QUICK, Bench, Scale
from .catalogue import System, select
from .databases import Database, open_databases, stop_all
from .measures import MEASURES, OF_LEDGERS, SUITES, takes_part
from .postgres import PostgresMissingError
from .server import Server, ServerMissingError, open_server


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0, or with ``--strict`` 1 when a bar was missed."""
    options = _parser().parse_args(argv)
    try:
        measures = _measures(options.suite, _words(options.only))
        systems = [
            system
            for system in select(_words(options.systems))
            if any(takes_part(system, measure) for measure in measures)
        ]
        server = open_server(options.server)
    except (ValueError, ServerMissingError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    # Whoever ends this program must not leave its server behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(options, systems, measures, server)
    except KeyboardInterrupt:
        print("benchmarks: interrupted", file=sys.stderr)
        return 130
    finally:
        server.stop()


def _run(options: argparse.Namespace, systems: list[System], measures: list[str], server: Server) -> int:
    setting = {
        "command": shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        **machine.describe(),
        **server.describe(),
    }
    pythons, missing = _install(systems, setting)
    databases = _databases(systems, pythons, missing, setting)
    load_before = machine.load()
    bench = Bench(server, pythons, _scale(options), databases)
    try:
        results = rounds.run(bench, [system for system in systems if system.name in pythons], measures)
    finally:
        stop_all(databases)
    results.failures[:0] = missing
    setting["load average before"] = f"{load_before:.2f}"
    setting["duration"] = f"{results.seconds:.0f} s, {bench.scale.rounds} interleaved rounds"
    judged = []
    if not set(measures) <= set(OF_LEDGERS):
        judged += bars.judge(results, is_redis_7=server.is_redis_7, server=setting["server"])
    if not set(measures).isdisjoint(OF_LEDGERS):
        judged += bars.judge_ledger(results)
    text = report.render(results, systems, judged, setting)
    print(text)
    _write(options, text, results, judged, setting)
    return 1 if options.strict and not bars.all_held(judged) else 0


def _install(systems: list[System], setting: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    pythons: dict[str, str] = {}
    missing: list[str] = []
    for system in systems:
        try:
            pythons[system.name] = venvs.python_of(system)
            versions = venvs.versions_of(system, pythons[system.name])
            setting[f"versions: {system.name}"] = ", ".join(f"{name} {v}" for name, v in versions.items())
        except venvs.NotInstalledError as error:
            missing.append(f"{system.name}: MISSING: {error}")
            print(f"benchmarks: {missing[-1]}", file=sys.stderr)
    return pythons, missing


def _databases(
    systems: list[System], pythons: dict[str, str], missing: list[str], setting: dict[str, str]
) -> dict[str, Database]:
    """Start what the installed systems need; without PostgreSQL those that live in it are missing."""
    needed = {system.database for system in systems if system.name in pythons and system.database}
    try:
        opened = open_databases(needed)
    except PostgresMissingError as error:
        opened = open_databases(name for name in needed if name == "sqlite")
        for system in systems:
            if system.database not in ("", "sqlite") and pythons.pop(system.name, ""):
                missing.append(f"{system.name}: MISSING: {error}")
                print(f"benchmarks: {missing[-1]}", file=sys.stderr)
    for database in opened.values():
        setting.update(database.describe())
    return opened


def _scale(options: argparse.Namespace) -> Scale:
    scale = QUICK if options.quick else Scale()
    return dataclasses.replace(scale, rounds=options.rounds) if options.rounds else scale


def _measures(suite: str, names: list[str] | None) -> list[str]:
    if not names:
        return list(SUITES[suite])
    if unknown := set(names) - set(MEASURES):
        raise ValueError(f"unknown measures {sorted(unknown)}; there are {sorted(MEASURES)}")
    return [name for name in MEASURES if name in names]


def _words(text: str | None) -> list[str] | None:
    return [word.strip() for word in text.split(",") if word.strip()] if text else None


def _write(
    options: argparse.Namespace,
    text: str,
    results: rounds.Results,
    judged: list[bars.Bar],
    setting: dict[str, str],
) -> None:
    if options.markdown:
        Path(options.markdown).write_text(text)
    if options.json:
        verdicts = [{**dataclasses.asdict(bar), "verdict": bar.verdict} for bar in judged]
        everything = {
            "setting": setting,
            "bars": verdicts,
            "values": results.values,
            "failures": results.failures,
            "seconds": results.seconds,
        }
        Path(options.json).write_text(json.dumps(everything, indent=1))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "suite",
        nargs="?",
        choices=sorted(SUITES),
        default="queue",
        help="`ledger` measures what a row for each job costs, beside queues that live in PostgreSQL",
    )
    parser.add_argument(
        "--server", default="auto", help="auto, redis-server, valkey, or the URL of a bare server"
    )
    parser.add_argument("--only", help=f"comma-separated measures out of {', '.join(MEASURES)}")
    parser.add_argument("--systems", help="comma-separated systems, e.g. arqlite,arq,floor; default: all")
    parser.add_argument("--rounds", type=int, help="interleaved rounds (default 3, with --quick 1)")
    parser.add_argument("--quick", action="store_true", help="one short round: under three minutes, noisier")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a bar was missed")
    parser.add_argument("--json", metavar="FILE", help="write every figure of every round")
    parser.add_argument("--markdown", metavar="FILE", help="write the report")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
