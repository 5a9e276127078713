#!/usr/bin/env python3
"""Run the end-to-end tests: every function named test_* of the modules below.

    main.py [--only WORD ...]      names that contain one of the words

The last line is `N passed, N failed`; the exit status is 1 when anything failed.
"""
import argparse
import importlib
import os
import sys
import time
import traceback

MODULES = ('test_start', 'test_retrieval', 'test_documents', 'test_command', 'test_wrong_input', 'test_hostile', 'test_limits', 'test_compression', 'test_browser', 'test_doors', 'test_services', 'test_wishes', 'test_metrics', 'test_tune', 'test_openapi', 'test_shutdown',
           'test_protocol')


class Skip(Exception):
    """raised by a test that cannot run here, with the reason"""


def tests():
    for name in MODULES:
        module = importlib.import_module(name)
        for attribute, value in list(vars(module).items()):
            if attribute.startswith('test_') and callable(value):
                yield f'{name[5:]}: {attribute[5:].replace("_", " ")}', value


def run(only):
    passed = failed = skipped = 0
    for name, test in tests():
        if only and not any(word in name for word in only):
            continue
        begun = time.monotonic()
        try:
            test()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if type(error).__name__ == 'Skip':
                skipped += 1
                print(f'SKIP {name}: {error}', flush=True)
                continue
            failed += 1
            print(f'FAIL {name} ({time.monotonic() - begun:.1f} s)', flush=True)
            traceback.print_exc(file=sys.stdout)
        else:
            passed += 1
            print(f'PASS {name} ({time.monotonic() - begun:.1f} s)', flush=True)
    if skipped:
        print(f'{skipped} skipped')
    print(f'{passed} passed, {failed} failed', flush=True)
    return 1 if failed or not passed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', nargs='*', help='words; a test runs when its name contains one')
    status = run(parser.parse_args().only)
    sys.stdout.flush()
    os._exit(status)  # the client's background threads must not hold up the end


if __name__ == '__main__':
    main()
