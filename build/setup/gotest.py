"""Reads `go test -json` and prints what a person wants to see: a line a package, and all that a failed test said.

The last line adds up: `318 passed, 0 failed, 0 skipped`. A test that has subtests counts by these alone.
"""

import collections
import json
import sys


class Report:
    def __init__(self):
        self.counts = collections.Counter()
        self.output = collections.defaultdict(list)  # by package and test, "" for the package itself
        self.children = collections.Counter()
        self.broken = False

    def read(self, line):
        if not line.startswith("{"):
            print(line, end="")
            return
        event = json.loads(line)
        action, package, test = event["Action"], event.get("Package", ""), event.get("Test", "")
        if action == "output":
            self.output[package, test].append(event["Output"])
        elif action == "build-output":
            print(event["Output"], end="")
        elif action == "build-fail":
            self.broken = True
        elif action == "run":
            self.children[package, test.rpartition("/")[0]] += 1
        elif action in ("pass", "fail", "skip"):
            if test:
                self.end_test(package, test, action)
            else:
                self.end_package(package, action, event.get("Elapsed", 0))

    def end_test(self, package, test, action):
        said = self.output.pop((package, test), [])
        if action != "pass":
            print("".join(f"    {line}" for line in said), end="")
        if not self.children[package, test]:
            self.counts[action] += 1
            self.counts[package, action] += 1

    def end_package(self, package, action, seconds):
        left = [key for key in self.output if key[0] == package]
        if action == "fail":
            self.broken = True
            for key in sorted(left):  # what no finished test has shown: a panic, a leak, a time-out
                print("".join(f"    {line}" for line in self.output[key]), end="")
        for key in left:
            del self.output[key]
        # Taken away: a package may have another turn.
        tests = self.counts.pop((package, "pass"), 0) + self.counts.pop((package, "fail"), 0)
        if action == "skip":
            print(f"-     {package} (no test files)")
        else:
            word = "ok   " if action == "pass" else "FAIL "
            print(f"{word} {package} ({tests} tests, {seconds:.1f} s)")
        sys.stdout.flush()


def main():
    report = Report()
    for line in sys.stdin:
        report.read(line)
    counts = report.counts
    print(f"{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped")
    sys.exit(1 if report.broken or counts["fail"] else 0)


main()
